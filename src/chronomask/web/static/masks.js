// The masks of frames, fetched in stretches; only those near the frame that is shown are kept.

import { get } from "./api.js";

const STRETCH = 24;
const KEPT = 32;

export class Masks {
  constructor(project, changed) {
    this.project = project;
    this.length = 0; // of the tracks, once there are any
    this.changed = changed; // called when another tab has corrected tracks meanwhile
    this.stretches = new Map();
    this.revision = -1;
  }

  // All that was fetched is of older tracks.
  reset(revision, length) {
    this.stretches.clear();
    this.revision = revision;
    this.length = length;
  }

  // What is known of a frame: an object of run lengths by track, or null.
  at(frame) {
    const found = this.stretches.get(Math.floor(frame / STRETCH));
    return found && found.frames ? found.frames[frame % STRETCH] ?? null : null;
  }

  // The same, when it is there.
  async load(frame) {
    if (frame >= this.length) return {};
    const place = Math.floor(frame / STRETCH);
    let found = this.stretches.get(place);
    if (found) this.stretches.delete(place);
    else found = this.fetched(place);
    this.stretches.set(place, found); // the last one is the newest
    for (const old of this.stretches.keys()) {
      if (this.stretches.size <= KEPT) break;
      this.stretches.delete(old);
    }
    await found.promise;
    return found.frames ? found.frames[frame % STRETCH] ?? {} : {};
  }

  ahead(frame) {
    const next = (Math.floor(frame / STRETCH) + 1) * STRETCH;
    if (next < this.length && !this.stretches.has(next / STRETCH)) this.load(next).catch(() => {});
  }

  fetched(place) {
    const stretch = { frames: null };
    const path = `/api/projects/${this.project}/masks?first=${place * STRETCH}&count=${STRETCH}`;
    stretch.promise = get(path).then((answer) => {
      if (answer.revision !== this.revision) this.changed();
      stretch.frames = answer.frames;
    }, (error) => {
      this.stretches.delete(place);
      throw error;
    });
    return stretch;
  }
}
