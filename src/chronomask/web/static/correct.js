// Corrections of the chosen object.

import { post } from "./api.js";
import { ask, button, h, toast } from "./dom.js";

export class Corrections {
  constructor(work) {
    this.work = work;
  }

  get track() {
    return this.work.track(this.work.selected);
  }

  hide(id = this.work.selected) {
    const { hidden } = this.work.view;
    this.work.setView({ hidden: hidden.includes(id) ? hidden.filter((other) => other !== id) : [...hidden, id] });
    this.work.panel.show();
  }

  remove() {
    const { track } = this;
    return this.work.step([`delete:${track.id}`], `${track.name} ${track.id} is deleted`);
  }

  split() {
    const { track, work } = this;
    return this.work.step([`split:${track.id}@${work.frame}`], `${track.name} ${track.id} is split at frame ${work.frame}`);
  }

  async rename() {
    const { track } = this;
    const name = await this.askName(`Rename ${track.name} ${track.id}`, track.name, this.guesses(track));
    if (name && name !== track.name) await this.work.step([...this.adding(name), `relabel:${track.id}=${name}`], `${track.id} is a ${name}`);
  }

  // What the model would call it, from the frames around this one, or where it is seen first.
  async guesses(track) {
    const { work } = this;
    const seen = track.spans.some(([first, last]) => first <= work.frame && work.frame <= last);
    if (!track.spans.length) return [];
    const frame = seen ? work.frame : track.spans[0][0];
    const { names } = await post(`/api/projects/${work.project.id}/names`, { track: track.id, frame });
    return names.filter((guess) => guess.probability >= 0.005);
  }

  async draw() {
    const name = await this.askName("A new object", "");
    if (!name) return;
    const id = this.work.project.nextId;
    if (await this.work.step([...this.adding(name), `add:${name}`], `${name} ${id} is new; paint it`)) {
      this.work.select(id);
      this.work.brush.use("paint");
    }
  }

  adding(name) {
    return this.work.project.categories.includes(name) ? [] : [`class:${name}`];
  }

  askName(title, name, guesses = null) {
    return ask(title, (done) => {
      const room = h("div", { class: "guesses", role: "status" }, guesses && h("p", { class: "note" }, "Asking the model …"));
      guesses?.then((names) => room.replaceChildren(names.length ? h("p", { class: "note" }, "The model’s guesses") : "", h("div", { class: "chips" }, names.map((guess) =>
        button(`${guess.name} ${Math.round(100 * guess.probability)} %`, () => done(guess.name), { class: "chip" })))), (error) => room.replaceChildren(h("p", { class: "note" }, error.message)));
      const input = h("input", { id: "class-name", list: "classes", value: name, autocomplete: "off", maxLength: 80, required: true, autofocus: true });
      const answer = () => { const text = input.value.trim(); if (text && !/[=@]/.test(text)) done(text); };
      input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); answer(); } });
      return [
        room, h("label", { for: "class-name" }, "Class"), input,
        h("datalist", { id: "classes" }, this.work.project.categories.map((category) => h("option", { value: category }))),
        h("p", { class: "note" }, "A name that the model does not know is added as a class of your own."),
        h("div", { class: "dialog-buttons" }, button("Cancel", () => done(null)), button("Use this name", answer, { class: "primary" }))];
    });
  }

  others() {
    return this.work.project.tracks.filter((track) => track.id !== this.work.selected);
  }

  askOther(title, note, verb) {
    const others = this.others();
    if (!others.length) {
      toast("There is no other object.");
      return Promise.resolve(null);
    }
    return ask(title, (done) => {
      const answer = () => done(Number(select.value));
      const select = h("select", { id: "other", autofocus: true, onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); answer(); } } }, others.map((track) => h("option", { value: track.id }, `${track.name} ${track.id}`)));
      return [h("label", { for: "other" }, "The other object"), select, h("p", { class: "note" }, note),
        h("div", { class: "dialog-buttons" }, button("Cancel", () => done(null)), button(verb, answer, { class: "primary" }))];
    });
  }

  async merge() {
    const { track } = this;
    const other = await this.askOther(`Merge ${track.name} ${track.id} with`, `${track.id} keeps its number and class; where both are seen, their masks are joined.`, "Merge");
    if (other !== null) await this.work.step([`merge:${track.id}+${other}`], `${track.id} and ${other} are one`);
  }

  async swap() {
    const { track, work } = this;
    const frame = work.frame;
    const other = await this.askOther(`Swap ${track.name} ${track.id} from frame ${frame} on with`, "What the two have in this frame and later changes hands: for objects that took each other's number.", "Swap");
    if (other !== null) await work.step([`swap:${track.id}+${other}@${frame}`], `${track.id} and ${other} are swapped`);
  }
}
