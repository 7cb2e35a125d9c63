// What the keys do.

import { ask, button, h } from "./dom.js";

// keys: as in keys.js.
export function showHelp(keys) {
  return ask("Keys", (done) => [
    h("dl", { class: "keys" }, keys.map(({ shown, text }) => [h("dt", {}, shown.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, text)])),
    h("p", { class: "note" }, "While you paint or point with the keyboard, the arrow keys move over the video, and Enter sets the brush or a point down; with Shift a point says what does not belong to it."),
    h("div", { class: "dialog-buttons" }, button("Close", () => done(null), { class: "primary" }))]);
}
