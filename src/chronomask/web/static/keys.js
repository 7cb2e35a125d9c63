// What every key does, in one table: the page obeys it, the help shows it, and a test goes over it.

import { showHelp } from "./help.js";

const arrows = "input, select, textarea, [role=tab]"; // have a meaning of their own there
const pressed = "button, a, [role=tab], input, select, summary"; // so has the space bar

// shown: the keys in the help; keys: as events name them, letters small; held: with Ctrl or Command; besides: controls
// that keep the key to themselves; does(work, event): false where the key has no meaning now.
export const KEYS = [
  { shown: "Space", keys: [" "], text: "play or pause", besides: pressed, does: (work) => work.player.toggle() },
  { shown: "← →", keys: ["ArrowLeft", "ArrowRight"], text: "one frame back or on; with Shift ten", besides: arrows,
    does: (work, event) => work.goTo(work.target + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1)) },
  { shown: "Home End", keys: ["Home", "End"], text: "first or last frame", besides: arrows,
    does: (work, event) => work.goTo(event.key === "Home" ? 0 : work.player.length - 1) },
  { shown: "↑ ↓", keys: ["ArrowUp", "ArrowDown"], text: "the object before or after, in the table", besides: arrows,
    does: (work, event) => work.selectNext(event.key === "ArrowUp" ? -1 : 1) },
  { shown: "1 2 3 4", keys: ["1", "2", "3", "4"], text: "choose, paint, erase, point at a new object",
    does: (work, event) => work.brush.use(["point", "paint", "erase", "cut"][event.key - 1]) },
  { shown: "[ ]", keys: ["[", "]"], text: "smaller or larger brush", does: (work, event) => work.brush.resize(event.key === "[" ? -1 : 1) },
  { shown: "H", keys: ["h"], text: "hide or show the object", does: chosen((work) => work.corrections.hide()) },
  { shown: "R", keys: ["r"], text: "rename it", does: chosen((work) => work.corrections.rename()) },
  { shown: "M", keys: ["m"], text: "merge it with another", does: chosen((work) => work.corrections.merge()) },
  { shown: "S", keys: ["s"], text: "split it at this frame", does: chosen((work) => work.corrections.split()) },
  { shown: "X", keys: ["x"], text: "swap it with another from this frame on", does: chosen((work) => work.corrections.swap()) },
  { shown: "Delete", keys: ["Delete", "Backspace"], text: "delete it", does: chosen((work) => work.corrections.remove()) },
  { shown: "Ctrl Z", keys: ["z"], held: true, text: "undo; with Shift redo", does: (work, event) => (event.shiftKey ? work.redo() : work.undo()) },
  { shown: "Esc", keys: ["Escape"], text: "let go of the object or tool",
    does: (work) => (work.brush.tool === "point" ? work.select(null) : work.brush.use("point")) },
  { shown: "?", keys: ["?"], text: "this list", does: () => showHelp(KEYS) },
];

function chosen(does) {
  return (work) => (work.selected === null ? false : does(work));
}

// Does what a key means, unless somebody types or the control that has the focus keeps it.
export function obey(work, event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input, select, textarea");
  const held = event.ctrlKey || event.metaKey;
  if ((field && !["range", "checkbox", "radio"].includes(field.type)) || event.altKey) return;
  if (!held && work.brush.key(event)) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const key = KEYS.find((one) => one.keys.includes(name) && Boolean(one.held) === held);
  if (!key || (key.besides && event.target.closest(key.besides))) return;
  if (key.does(work, event) !== false) event.preventDefault();
}
