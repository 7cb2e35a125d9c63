// New objects by pointing: clicks and boxes in a frame are seeds, which are previewed there and followed from there.

import { post } from "./api.js";
import { button, h, say, toast } from "./dom.js";

export class Pointing {
  constructor(work) {
    this.work = work;
    this.reset();
  }

  reset() {
    this.prompts = [];
    this.mask = null;
    this.frame = null;
    this.negative = false;
    this.asked = 0;
  }

  get active() {
    return this.work.brush.tool === "cut";
  }

  // From pixels to a prompt, and what the model makes of all of them so far.
  add(from, to, negative) {
    const { work } = this;
    const { width, height } = work.project;
    const inside = ([x, y]) => [Math.max(0, Math.min(width - 1, Math.floor(x))), Math.max(0, Math.min(height - 1, Math.floor(y)))];
    const [x, y] = inside(from), [endX, endY] = inside(to);
    const frame = work.frame;
    if (Math.abs(endX - x) > width / 60 && Math.abs(endY - y) > height / 60) {
      this.prompts.push({ left: Math.min(x, endX), top: Math.min(y, endY), right: Math.max(x, endX), bottom: Math.max(y, endY), frame });
    } else {
      const against = negative || this.negative;
      if (against && !this.prompts.some((one) => one.positive !== false)) {
        toast("First point at the object; then at what does not belong to it.");
        return;
      }
      this.prompts.push({ x, y, positive: !against, frame });
    }
    say(`${this.prompts.length} ${this.prompts.length === 1 ? "place" : "places"} pointed at`);
    this.preview();
  }

  async preview() {
    const { work } = this;
    this.frame = work.frame;
    this.mask = null;
    const asked = ++this.asked;
    work.panel.show();
    work.draw();
    const here = this.prompts.filter((one) => one.frame === work.frame);
    if (!here.some((one) => one.positive !== false)) return;
    this.busy = true;
    try {
      const answer = await post(`/api/projects/${work.project.id}/point`, { frame: work.frame, prompts: here });
      if (asked !== this.asked) return;
      this.mask = answer.masks[1] ?? null;
      say(this.mask ? "The object is outlined." : "Nothing was found there.");
    } catch (error) { if (asked === this.asked) toast(error.message, "error"); }
    if (asked === this.asked) this.busy = false;
    work.panel.show();
    work.draw();
  }

  takeBack() {
    this.prompts.pop();
    this.preview();
  }

  async follow() {
    const { work } = this;
    try {
      await post(`/api/projects/${work.project.id}/follow`, { prompts: this.prompts });
      this.reset();
      work.brush.use("point");
    } catch (error) { toast(error.message, "error"); }
    await work.page.refresh();
    work.panel.show();
    work.draw();
  }

  cancel() {
    this.reset();
    this.work.brush.use("point");
    this.work.panel.show();
    this.work.draw();
  }

  // The preview as one more mask.
  get shown() {
    return this.active && this.mask && this.frame === this.work.frame ? [{ id: -1, counts: this.mask, colour: [255, 255, 255] }] : [];
  }

  marks() {
    if (!this.active) return [];
    const { width, height } = this.work.project;
    return this.prompts.filter((one) => one.frame === this.work.frame).map((one) => {
      const box = "left" in one;
      const mark = h("span", { class: `mark ${box ? "box" : one.positive ? "yes" : "no"}` });
      mark.style.left = `${(100 * (box ? one.left : one.x)) / width}%`;
      mark.style.top = `${(100 * (box ? one.top : one.y)) / height}%`;
      if (box) {
        mark.style.width = `${(100 * (one.right - one.left)) / width}%`;
        mark.style.height = `${(100 * (one.bottom - one.top)) / height}%`;
      }
      return mark;
    });
  }

  section() {
    const count = this.prompts.length;
    const kind = (negative, text, id) => h("label", { class: "choice", for: id },
      h("input", { type: "radio", name: "sign", id, checked: this.negative === negative, onchange: () => { this.negative = negative; } }), h("span", {}, text));
    return h("section", { class: "actions", "aria-label": "A new object by pointing" },
      h("h3", {}, "Point at an object"),
      h("p", { class: "note" }, "Click it, or draw a box around it. Where too much is outlined, click that as “not this”, or with Shift."),
      h("div", { class: "choices" }, kind(false, "This", "sign-yes"), kind(true, "Not this", "sign-no")),
      h("p", { class: "note", role: "status" }, this.busy ? "Looking …" : count === 0 ? "" : this.mask ? "Outlined in white. Is it right?" : "Nothing is outlined in this frame yet."),
      h("div", { class: "row" }, button("Follow it", () => this.follow(), { class: "primary", id: "follow", disabled: !this.prompts.some((one) => one.positive !== false) }),
        button("Take one back", () => this.takeBack(), { id: "point-back", disabled: !count }), button("Cancel", () => this.cancel(), { id: "point-cancel" })));
  }
}
