// Pointing at objects in the video, and painting masks.

import { button, h, say, toast } from "./dom.js";
import { encoded, fill } from "./rle.js";

export class Brush {
  constructor(work) {
    this.work = work;
    this.tool = "point";
    this.size = Math.max(4, Math.round(Math.max(work.project.width, work.project.height) / 40));
    this.stroke = null;
    this.ring = h("div", { class: "ring", hidden: true });
    this.place = [work.project.width / 2, work.project.height / 2];
  }

  tools() {
    const one = (tool, text, icon) => button(text, () => this.use(tool), { icon, iconOnly: true, class: "tool", id: `tool-${tool}`, "aria-pressed": String(tool === this.tool) });
    const most = Math.round(Math.max(this.work.project.width, this.work.project.height) / 4);
    this.slider = h("input", { type: "range", min: 1, max: most, value: this.size, "aria-label": "Size of the brush",
      oninput: (event) => { this.size = Number(event.target.value); this.moveRing(); } });
    this.sizeRoom = h("label", { class: "brush-size", hidden: true }, this.slider);
    this.room = h("div", { class: "tools", role: "group", "aria-label": "Tools" }, this.sizeRoom, one("point", "Choose", "pointer"), one("cut", "Point at a new object", "wand"), one("paint", "Paint", "brush"), one("erase", "Erase", "erase"));
    return this.room;
  }

  use(tool) {
    if (tool === "cut" && !this.work.project.run) {
      toast("Objects are still being found.");
      return;
    }
    if (["paint", "erase"].includes(tool) && this.work.selected === null) {
      toast("Choose an object first, by a click in the video or the table.");
      return;
    }
    this.tool = tool;
    for (const other of ["point", "cut", "paint", "erase"]) document.getElementById(`tool-${other}`).setAttribute("aria-pressed", String(other === tool));
    this.sizeRoom.hidden = ["point", "cut"].includes(tool);
    this.work.stage.classList.toggle("painting", tool !== "point");
    this.ring.hidden = tool === "point";
    this.ring.classList.toggle("cross", tool === "cut");
    if (tool === "cut" && this.work.panel.tab !== "objects") this.work.panel.tab = "objects";
    this.work.panel.show();
    if (tool !== "point") {
      this.work.video.pause();
      this.work.stage.focus();
      this.moveRing();
    }
    say({ point: "Choosing", cut: "Pointing at a new object", paint: "Painting", erase: "Erasing" }[tool]);
  }

  resize(step) {
    if (this.tool === "point") return;
    this.size = Math.max(1, Math.min(Number(this.slider.max), Math.round(this.size * (step > 0 ? 1.25 : 0.8)) + (step > 0 ? 1 : 0)));
    this.slider.value = this.size;
    this.moveRing();
  }

  listen(stage) {
    stage.append(this.ring);
    stage.classList.remove("painting");
    // One set of listeners for as long as the video is open.
    this.ended?.abort();
    this.ended = new AbortController();
    const { signal } = this.ended;
    stage.addEventListener("pointerdown", (event) => this.down(event), { signal });
    stage.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, () => this.up(), { signal });
  }

  pixel(event) {
    const box = this.work.canvas.getBoundingClientRect();
    const { width, height } = this.work.project;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  down(event) {
    if (event.button !== 0) return;
    const [x, y] = this.pixel(event);
    if (this.tool === "point") {
      this.work.select(this.work.painter.hit(Math.floor(x), Math.floor(y)));
      return;
    }
    event.preventDefault();
    this.work.stage.setPointerCapture(event.pointerId);
    this.work.stage.focus();
    if (this.tool === "cut") this.from = { place: [x, y], negative: event.shiftKey };
    else this.press(x, y);
  }

  // Begins a stroke as soon as the masks of the frame are there, which were fetched anew after the last correction.
  async press(x, y) {
    const { work } = this;
    this.released = false;
    this.place = [x, y];
    if (work.masks.at(work.frame) === null) {
      try { await work.masks.load(work.frame); } catch (error) { toast(error.message, "error"); return; }
    }
    if (!this.begin()) return;
    this.to(x, y);
    if (this.released) this.up();
  }

  move(event) {
    const [x, y] = this.pixel(event);
    this.work.understand.at(x / this.work.project.width, y / this.work.project.height);
    if (this.tool === "point") return;
    this.place = [x, y];
    this.moveRing();
    if (this.stroke) this.to(x, y);
  }

  begin() {
    const { work } = this;
    const found = work.masks.at(work.frame);
    if (work.selected === null || found === null || work.player.seeking !== null) return false;
    const map = new Uint8Array(work.project.width * work.project.height);
    if (found[work.selected]) fill(map, found[work.selected], 1);
    this.stroke = { id: work.selected, frame: work.frame, map, last: null };
    return true;
  }

  // Sets the brush down along the way from where it was.
  to(x, y) {
    const { stroke } = this;
    const [fromX, fromY] = stroke.last ?? [x, y];
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / Math.max(1, this.size / 4)));
    for (let i = 1; i <= steps; i++) this.dab(fromX + ((x - fromX) * i) / steps, fromY + ((y - fromY) * i) / steps);
    stroke.last = [x, y];
    this.work.draw();
  }

  dab(x, y) {
    const { width, height } = this.work.project;
    const radius = this.size / 2, value = this.tool === "paint" ? 1 : 0;
    for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(width, x + radius); column++) {
      const reach = radius * radius - (column + 0.5 - x) ** 2;
      if (reach < 0) continue;
      const top = Math.max(0, Math.ceil(y - Math.sqrt(reach) - 0.5)), end = Math.min(height, Math.floor(y + Math.sqrt(reach) + 0.5));
      if (end > top) this.stroke.map.fill(value, column * height + top, column * height + end);
    }
  }

  async up() {
    const { stroke, from } = this;
    this.released = true;
    if (from) {
      this.from = null;
      this.work.pointing.add(from.place, this.place, from.negative);
    }
    if (!stroke || stroke.ended) return;
    stroke.ended = true;
    await this.work.step([`paint:${stroke.id}@${stroke.frame}=${encoded(stroke.map)}`], `Frame ${stroke.frame} is painted`);
    if (this.stroke === stroke) this.stroke = null;
    this.work.draw();
  }

  // What is drawn: the masks of a frame, with the stroke in place of the one that it changes.
  painted(shown) {
    const { stroke, work } = this;
    if (!stroke || stroke.frame !== work.frame) return shown;
    const rest = shown.filter((one) => one.id !== stroke.id);
    const track = work.track(stroke.id);
    return track ? [...rest, { id: stroke.id, map: stroke.map, colour: track.colour }] : rest;
  }

  moveRing() {
    const { width, height } = this.work.project;
    this.ring.style.left = `${(100 * this.place[0]) / width}%`;
    this.ring.style.top = `${(100 * this.place[1]) / height}%`;
    const cut = this.tool === "cut";
    this.ring.style.width = cut ? "22px" : `${(100 * this.size) / width}%`;
    this.ring.style.height = cut ? "22px" : `${(100 * this.size) / height}%`;
  }

  // The brush by keyboard, while the video has the focus.
  key(event) {
    if (document.activeElement !== this.work.stage) return false;
    if (this.tool === "point" && !this.work.understand.active) return false;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = this.work.project;
    if (moves[event.key]) {
      const step = event.shiftKey ? 1 : Math.max(1, this.tool === "cut" ? width / 40 : this.size / 3);
      this.place = [0, 1].map((axis) => Math.max(0, Math.min([width, height][axis], this.place[axis] + moves[event.key][axis] * step)));
      this.moveRing();
      this.work.understand.at(this.place[0] / width, this.place[1] / height);
    } else if (event.key === "Enter" && this.tool !== "point") {
      if (this.tool === "cut") this.work.pointing.add(this.place, this.place, event.shiftKey);
      else {
        this.press(...this.place);
        this.released = true;
        if (this.stroke) this.up();
      }
    } else return false;
    event.preventDefault();
    return true;
  }
}
