// A video of which every frame can be shown by its number.
//
// Browsers find frames by time. A frame is asked for by a time between its own and the next one's, and which one is
// shown is told by requestVideoFrameCallback alone: before its first call a picture may be blank.

import { bytes } from "./api.js";

export class Player {
  constructor(video, shown, failed) {
    Object.assign(this, { video, shown, failed });
    this.frame = -1;
    this.wanted = null;
    this.seeking = null;
    video.preload = "auto";
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.addEventListener("error", () => this.video.getAttribute("src") && this.failed());
    video.addEventListener("seeked", () => this.sought());
  }

  async open(media, times) {
    const table = new Float64Array(await bytes(times));
    this.length = table.length / 2;
    this.times = table.subarray(0, this.length);
    this.asked = table.subarray(this.length);
    this.video.src = media;
    this.frame = -1;
    this.seeking = null;
    this.watch();
  }

  watch() {
    const token = (this.watching = {});
    const next = (now, data) => {
      if (token !== this.watching) return;
      this.take(this.nearest(data.mediaTime));
      this.video.requestVideoFrameCallback(next);
    };
    this.video.requestVideoFrameCallback(next);
  }

  nearest(time) {
    let low = 0, high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    if (low + 1 < this.length && this.times[low + 1] - time < time - this.times[low]) low += 1;
    return low;
  }

  take(frame) {
    this.frame = frame;
    if (this.seeking === frame) this.arrived();
    this.shown(frame);
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  // Shows a frame; of many wishes that come while one is being found, the last one counts.
  seek(frame) {
    frame = Math.max(0, Math.min(this.length - 1, frame));
    this.wanted = frame;
    if (this.seeking === null) this.begin();
    return frame;
  }

  begin() {
    const frame = this.wanted;
    this.wanted = null;
    if (frame === this.frame && !this.playing) return;
    this.seeking = frame;
    this.video.currentTime = this.asked[frame];
  }

  // The callback may have come before, or comes in a moment, or never: where the picture stays the same.
  sought() {
    if (this.seeking === null) return;
    const sought = this.seeking;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => { if (this.seeking === sought) this.take(sought); }, 120);
  }

  arrived() {
    this.seeking = null;
    if (this.wanted !== null) this.begin();
  }

  toggle() {
    if (this.playing) this.video.pause();
    else {
      if (this.frame >= this.length - 1) this.video.currentTime = this.asked[0];
      this.video.play().catch(() => {});
    }
  }

  close() {
    this.watching = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
