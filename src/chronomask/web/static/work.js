// One open video: its player, masks, tracks, and what is chosen.

import { get, post, put } from "./api.js";
import { $, button, colourOf, h, say, toast, told } from "./dom.js";
import { Brush } from "./brush.js";
import { Corrections } from "./correct.js";
import { Masks } from "./masks.js";
import { measured, Painter } from "./painter.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";
import { Pointing } from "./pointing.js";
import { Timeline } from "./timeline.js";
import { Understand } from "./understand.js";

const VIEW = { score: 0.5, asked: [], hidden: [], off: [], opacity: 0.45, outline: true, names: true, background: "video", frame: 0 };

export class Work {
  constructor(project, page) {
    this.project = project;
    this.page = page;
    this.view = { ...VIEW, ...project.view };
    this.selected = null;
    this.frame = -1;
    this.masks = new Masks(project.id, () => this.reload());
    this.video = h("video", { "aria-hidden": "true", tabIndex: -1 });
    this.still = h("canvas", { class: "still", "aria-hidden": "true" });
    this.canvas = h("canvas", { class: "masks", "aria-hidden": "true" });
    this.names = h("div", { class: "names", "aria-hidden": "true" });
    this.waiting = h("div", { class: "waiting", role: "status" });
    this.painter = new Painter(this.canvas, project.width, project.height);
    this.player = new Player(this.video, this.still, (frame) => this.shown(frame), () => this.unplayable());
    this.corrections = new Corrections(this);
    this.brush = new Brush(this);
    this.pointing = new Pointing(this);
    this.understand = new Understand(this);
    this.timeline = new Timeline(this);
    this.panel = new Panel(this);
    this.saving = 0;
  }

  async open() {
    const { project } = this;
    const stage = $("stage");
    stage.style.setProperty("--ratio", (project.width * project.pixelAspect) / project.height);
    stage.replaceChildren(this.video, this.still, this.canvas, this.understand.canvas, this.names, this.waiting);
    this.stage = stage;
    this.brush.listen(stage);
    this.transport();
    this.timeline.show();
    this.panel.show();
    this.buttons();
    this.resetMasks();
    this.setSaved("");
    await this.openMedia();
  }

  async openMedia() {
    const { id, plays, copySize } = this.project;
    this.played = plays;
    if (!plays) {
      this.wait(`This video is being prepared for the browser: ${this.project.whyCopy}.`);
      return;
    }
    this.wait("");
    try {
      const [media, times, packets] = ["media", "times", "packets"].map((kind) => `/api/projects/${id}/${kind}/${plays}`);
      await this.player.open(media, times, packets);
    } catch (error) { toast(error.message, "error"); return; }
    // Sides of H.264 are even: the copy of an odd size has a row or column behind the picture, which is cut off.
    this.content = (copySize ?? [2, 2]).map((side) => side / (side + (side % 2)));
    for (const picture of [this.video, this.still]) {
      picture.style.width = `${100 / this.content[0]}%`;
      picture.style.height = `${100 / this.content[1]}%`;
    }
    this.goTo(Math.min(this.view.frame, this.player.length - 1));
  }

  wait(text) {
    this.waiting.textContent = text;
    this.waiting.hidden = !text;
  }

  unplayable() {
    if (this.project.plays !== "source") { this.wait("The video cannot be played."); return; }
    this.wait("This browser does not play the video as it is; it is being prepared.");
    post(`/api/projects/${this.project.id}/copy`).then(() => this.page.refresh(), () => {});
  }

  close() {
    this.closed = true;
    this.timeline.close();
    this.brush.ended?.abort();
    clearTimeout(this.viewTimer);
    if (this.viewPending) this.saveView();
    this.player.close();
    for (const id of ["stage", "transport", "timeline", "panel", "project-buttons"]) $(id).replaceChildren();
  }

  // --- tracks ---

  track(id) {
    return this.project.tracks.find((track) => track.id === id) ?? null;
  }

  // What somebody pointed at is shown whatever its score.
  passes(track) {
    return (track.score >= this.view.score || this.view.asked.includes(track.id)) && !this.view.off.includes(track.name);
  }

  visible(track) {
    return this.passes(track) && !this.view.hidden.includes(track.id);
  }

  get listed() {
    return this.project.tracks.filter((track) => this.passes(track));
  }

  take(project) {
    const before = this.project;
    this.project = project;
    if (before.revision !== project.revision || before.run !== project.run || before.length !== project.length) {
      this.resetMasks();
    }
    if (this.selected !== null && !this.track(this.selected)) this.selected = null;
    this.timeline.show();
    this.panel.show();
    this.buttons();
    this.draw();
    if (project.plays && project.plays !== this.played) this.openMedia();
  }

  resetMasks() {
    this.masks.reset(this.project.revision, this.project.run ? this.project.length : 0);
  }

  async reload() {
    if (this.reloading) return;
    this.reloading = true;
    const project = await told(get(`/api/projects/${this.project.id}`));
    if (project) this.take(project);
    this.reloading = false;
  }

  async jobEnded(job) {
    await this.reload();
    if (job.kind === "follow" && job.state === "done") {
      this.setView({ asked: [...this.view.asked, ...job.result.tracks] });
      this.select(job.result.tracks[0]);
    }
    this.panel.jobEnded(job);
  }

  select(id) {
    this.selected = id;
    const track = id === null ? null : this.track(id);
    say(track ? `${track.name} ${track.id} chosen` : "Nothing chosen");
    this.panel.show();
    this.timeline.mark();
    this.draw();
  }

  selectNext(step) {
    const { listed } = this;
    if (!listed.length) return;
    const place = listed.findIndex((track) => track.id === this.selected);
    const next = place < 0 ? (step > 0 ? 0 : listed.length - 1) : (place + step + listed.length) % listed.length;
    this.select(listed[next].id);
  }

  // --- frames ---

  goTo(frame) {
    if (!this.player.length) return;
    const target = this.player.seek(frame);
    this.masks.load(target).catch(() => {});
    this.timeline.at(target);
    this.counter(target);
  }

  shown(frame) {
    this.frame = frame;
    this.wait("");
    this.draw();
    this.masks.ahead(frame);
    if (this.player.seeking === null) {
      this.timeline.at(frame);
      this.counter(frame);
    }
    if (!this.player.playing) this.keepView({ frame });
  }

  counter(frame) {
    if (document.activeElement !== this.frameInput) this.frameInput.value = frame;
    const time = this.player.times[frame] - this.player.times[0];
    const minutes = Math.floor(time / 60);
    this.clock.textContent = `${minutes}:${(time % 60).toFixed(2).padStart(5, "0")}`;
  }

  // Draws the masks of the frame that is on the screen, as soon as they are there.
  async draw() {
    const frame = this.frame;
    if (frame < 0) return;
    let found = this.masks.at(frame);
    if (found === null) {
      if (!(await told(this.masks.load(frame))) || this.closed || frame !== this.frame) return;
      found = this.masks.at(frame) ?? {};
    }
    const shown = [];
    for (const [key, counts] of Object.entries(found)) {
      const track = this.track(Number(key));
      if (track && this.visible(track)) shown.push({ id: track.id, counts, colour: track.colour, track, ...measured(counts, this.project.height) });
    }
    shown.sort((one, other) => other.area - one.area);
    const painted = [...this.brush.painted(shown), ...this.pointing.shown];
    this.painter.draw(painted, { ...this.view, selected: this.selected }, this.player.picture, this.content ?? [1, 1]);
    this.label(shown);
    this.drawn = frame;
    this.understand.follow();
  }

  label(shown) {
    const { width, height } = this.project;
    this.names.replaceChildren(...(this.view.names ? shown : []).map((one) => {
      const label = h("span", { class: one.id === this.selected ? "name chosen" : "name" }, `${one.track.name} `, h("b", {}, String(one.id)));
      label.style.left = `${(100 * one.left) / width}%`;
      label.style.top = `max(24px, ${(100 * one.top) / height}%)`; // inside, where the object begins at the edge
      label.style.setProperty("--colour", colourOf(one.colour));
      return label;
    }), ...this.pointing.marks());
  }

  // --- what is remembered ---

  setView(change) {
    this.keepView(change);
    this.draw();
    this.timeline.mark();
  }

  keepView(change) {
    Object.assign(this.view, change);
    this.viewPending = true;
    clearTimeout(this.viewTimer);
    this.viewTimer = setTimeout(() => this.saveView(), 400);
  }

  saveView() {
    this.viewPending = false;
    put(`/api/projects/${this.project.id}/view`, this.view).catch(() => {});
  }

  setSaved(text, failed = false) {
    $("saved").textContent = text;
    $("saved").classList.toggle("failed", failed);
  }

  // Does operations; what is shown as saved is on disk.
  async step(operations, told) {
    return this.change(() => post(`/api/projects/${this.project.id}/steps`, { step: operations }), told);
  }

  async undo() {
    const { undo } = this.project;
    if (undo) await this.change(() => post(`/api/projects/${this.project.id}/undo`), `Undone: ${undo}`);
  }

  async redo() {
    const { redo } = this.project;
    if (redo) await this.change(() => post(`/api/projects/${this.project.id}/redo`), `Done again: ${redo}`);
  }

  async change(request, told) {
    this.setSaved("Saving …");
    try {
      const project = await request();
      this.take(project);
      this.setSaved("Saved");
      if (told) say(told);
      this.page.refresh();
      return true;
    } catch (error) {
      this.setSaved(error.refused ? "Refused" : "Not saved", true);
      toast(error.refused ? `Refused, and nothing has changed: ${error.message}` : error.message, "error");
      return false;
    }
  }

  // --- buttons ---

  buttons() {
    const { project } = this;
    $("project-buttons").replaceChildren(
      button(project.undo ? `Undo ${project.undo}` : "Undo", () => this.undo(), { icon: "undo", iconOnly: true, class: "quiet", id: "undo", disabled: !project.undo }),
      button(project.redo ? `Redo ${project.redo}` : "Redo", () => this.redo(), { icon: "redo", iconOnly: true, class: "quiet", id: "redo", disabled: !project.redo }),
      button("Export", () => this.panel.open("export"), { icon: "share", class: "primary", id: "export-open", "aria-label": "Export", disabled: !project.run }));
  }

  transport() {
    const small = { iconOnly: true, class: "quiet" };
    this.playButton = button("Play", () => this.player.toggle(), { ...small, icon: "play", class: "round", id: "play" });
    const turn = () => this.playButton.replaceWith((this.playButton = button(this.player.playing ? "Pause" : "Play", () => this.player.toggle(),
      { iconOnly: true, icon: this.player.playing ? "pause" : "play", class: "round", id: "play" })));
    this.video.addEventListener("play", turn);
    this.video.addEventListener("pause", () => { turn(); this.keepView({ frame: Math.max(0, this.frame) }); });
    this.frameInput = h("input", { type: "number", min: 0, max: Math.max(0, this.project.length - 1), value: 0, "aria-label": "Frame", id: "frame",
      onchange: (event) => this.goTo(Number(event.target.value)) });
    this.clock = h("span", { class: "clock" }, "0:00.00");
    this.speed = h("select", { "aria-label": "Speed", onchange: (event) => { this.video.playbackRate = Number(event.target.value); } },
      [0.1, 0.25, 0.5, 1, 2].map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`)));
    $("transport").replaceChildren(
      button("Frame back", () => this.goTo(this.frame - 1), { ...small, icon: "prev", id: "back" }), this.playButton,
      button("Frame on", () => this.goTo(this.frame + 1), { ...small, icon: "next", id: "on" }),
      h("label", { class: "frame" }, "Frame ", this.frameInput), this.clock, this.speed,
      h("span", { class: "grow" }), this.brush.tools());
  }

  // The frame that is shown, or on the way.
  get target() {
    return this.player.wanted ?? this.player.seeking ?? Math.max(0, this.frame);
  }
}
