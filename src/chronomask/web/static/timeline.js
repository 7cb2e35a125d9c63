// When each object is seen, a strip each, and the place in the video.

import { $, colourOf, h } from "./dom.js";

export class Timeline {
  constructor(work) {
    this.work = work;
    this.resized = new ResizeObserver(() => this.paint());
  }

  show() {
    const { work } = this;
    const room = $("timeline");
    const length = Math.max(1, work.project.length || 1);
    this.slider ??= h("input", { type: "range", min: 0, step: 1, value: 0, class: "scrub", id: "scrub", "aria-label": "Place in the video",
      oninput: (event) => work.goTo(Number(event.target.value)) });
    this.slider.max = length - 1;
    this.head ??= h("div", { class: "head" });
    if (work.frameInput) work.frameInput.max = length - 1;
    this.rows = new Map();
    const strips = work.listed.map((track) => {
      const canvas = h("canvas", { role: "img", "aria-label": `${track.name} ${track.id} is seen in ${track.frames} of ${length} frames` });
      const row = h("div", { class: "strip", title: `${track.name} ${track.id}`, onclick: (event) => this.clicked(event, track.id) }, canvas);
      this.rows.set(track.id, { row, canvas, track });
      return row;
    });
    this.strips = h("div", { class: "strips" }, strips);
    room.replaceChildren(this.slider, h("div", { class: "strip-room" }, this.strips, this.head));
    this.resized.disconnect();
    this.resized.observe(this.strips);
    this.mark();
  }

  close() {
    this.resized.disconnect();
  }

  clicked(event, id) {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    this.work.select(id);
    this.work.goTo(Math.floor(share * this.work.project.length));
  }

  at(frame) {
    this.slider.value = frame;
    this.slider.setAttribute("aria-valuetext", `frame ${frame}`);
    this.head.style.left = `${(100 * (frame + 0.5)) / Math.max(1, this.work.project.length)}%`;
  }

  mark() {
    for (const [id, { row, track }] of this.rows) {
      row.classList.toggle("chosen", id === this.work.selected);
      row.classList.toggle("off", !this.work.visible(track));
    }
    if (this.rows.size !== this.work.listed.length) this.show();
    else this.paint();
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const length = Math.max(1, this.work.project.length);
    for (const { row, canvas, track } of this.rows.values()) {
      const width = Math.round(row.clientWidth * ratio), height = Math.round(row.clientHeight * ratio);
      if (!width) continue;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, width, height);
      // The bar is as high as the score is good.
      const tall = Math.max(2 * ratio, Math.round(height * (0.3 + 0.7 * track.score)));
      pen.fillStyle = colourOf(track.colour, this.work.visible(track) ? 0.95 : 0.28);
      for (const [first, last] of track.spans) {
        const from = (first / length) * width, to = ((last + 1) / length) * width;
        pen.fillRect(from, height - tall, Math.max(ratio, to - from), tall);
      }
    }
  }
}
