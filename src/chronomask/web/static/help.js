// What the keys do.

import { ask, button, h } from "./dom.js";

export const KEYS = [
  ["Space", "play or pause"],
  ["← →", "one frame back or on; with Shift ten"],
  ["Home End", "first or last frame"],
  ["↑ ↓", "the object before or after, in the table"],
  ["1 2 3 4", "choose, paint, erase, point at a new object"],
  ["[ ]", "smaller or larger brush"],
  ["H", "hide or show the object"],
  ["R", "rename it"],
  ["M", "merge it with another"],
  ["S", "split it at this frame"],
  ["X", "swap it with another from this frame on"],
  ["Delete", "delete it"],
  ["Ctrl Z", "undo; with Shift redo"],
  ["Esc", "let go of the object or tool"],
  ["?", "this list"],
];

export function showHelp() {
  return ask("Keys", (done) => [
    h("dl", { class: "keys" }, KEYS.map(([key, does]) => [h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, does)])),
    h("p", { class: "note" }, "While you paint or point with the keyboard, the arrow keys move over the video, and Enter sets the brush or a point down; with Shift a point says what does not belong to it."),
    h("div", { class: "dialog-buttons" }, button("Close", () => done(null), { class: "primary" }))]);
}
