// Elements, icons and messages.

export const $ = (id) => document.getElementById(id);

const PATHS = {
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z",
  next: "M6 6.2 13 12l-7 5.8zM15 6h2.6v12H15z",
  prev: "M18 6.2 11 12l7 5.8zM6.4 6H9v12H6.4z",
  undo: "M8.5 4.5 3.5 9l5 4.5V10.6h5.2a3.7 3.7 0 0 1 0 7.4H8v2.2h5.7a5.9 5.9 0 0 0 0-11.8H8.500z",
  redo: "M15.500 4.500l5 4.500-5 4.500V10.600h-5.200a3.700 3.700 0 0 0 0 7.400H16v2.200h-5.700a5.900 5.900 0 0 1 0-11.800h5.200z",
  eye: "M12 5.500C6.500 5.500 3 12 3 12s3.500 6.500 9 6.500S21 12 21 12s-3.500-6.500-9-6.500zm0 10.700A4.200 4.200 0 1 1 12 7.800a4.200 4.200 0 0 1 0 8.400zm0-2.300a1.900 1.900 0 1 0 0-3.800 1.900 1.900 0 0 0 0 3.800z",
  hidden: "M4.300 3 3 4.300l3.300 3.300C4.200 9.400 3 12 3 12s3.500 6.500 9 6.500c1.500 0 2.900-.5 4.100-1.200l3.600 3.600 1.300-1.300zM12 16.300a4.300 4.300 0 0 1-4-5.800l1.700 1.700a2.400 2.400 0 0 0 2.500 2.500l1.600 1.500c-.6.100-1.200.100-1.800.100zM12 5.500c-1 0-2 .2-2.900.6l1.900 1.800A4.300 4.300 0 0 1 16.200 13l2.400 2.400C20.200 13.700 21 12 21 12s-3.500-6.500-9-6.500z",
  sun: "M12 7.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM11 2h2v3.200h-2zM11 18.800h2V22h-2zM2 11h3.200v2H2zM18.800 11H22v2h-3.200zM4.200 5.600l1.400-1.400 2.300 2.300-1.400 1.400zM16.100 17.500l1.400-1.400 2.300 2.300-1.400 1.400zM16.100 6.500l2.300-2.300 1.400 1.400-2.300 2.300zM4.200 18.400l2.300-2.300 1.400 1.400-2.300 2.300z",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm.1 14.600a1.300 1.300 0 1 1 0-2.600 1.300 1.300 0 0 1 0 2.600zm1.700-5.600c-.7.500-.8.700-.8 1.400v.400h-2v-.6c0-1.300.5-2 1.500-2.700.8-.6 1-.9 1-1.500 0-.8-.6-1.300-1.500-1.300s-1.600.5-1.600 1.600H8.300C8.300 7.300 9.800 6 12 6s3.700 1.200 3.700 3c0 1.300-.6 2.100-1.900 3z",
  share: "M12 3l5 5h-3.600v7h-2.800V8H7zM4 14h2.500v4.500h11V14H20v7H4z",
  close: "M6.400 5 5 6.400 10.600 12 5 17.600 6.400 19 12 13.400 17.600 19l1.400-1.400L13.400 12 19 6.400 17.600 5 12 10.600z",
  pointer: "M5 3l14 8-6.300 1.700L9.500 19z",
  brush: "M19.800 3.300c-1-.8-2.300-.6-3 .3L9.700 12l3 2.600 7.400-8.300c.8-.9.700-2.200-.3-3zM8.300 13.500c-2.300 0-3 1.600-3.300 3.300-.2 1.200-.8 1.900-2 2.200 1 1 2.600 1.500 4.300 1.500 2.600 0 4.400-1.600 4.400-3.900z",
  erase: "M15 4 21 10 12.500 18.500H20V21H7.500L3 16.500a1.600 1.600 0 0 1 0-2.300L13 4.200a1.500 1.500 0 0 1 2-.2zM8.700 18.500 11.300 16 7 11.700l-2.800 2.800z",
  upload: "M12 3l5.500 5.500h-4V16h-3V8.500h-4zM4 18h16v3H4z",
  trash: "M9 3h6l1 2h4v2H4V5h4zM6 8.500h12L17 21H7z",
  wand: "M14.500 3l1 2.500L18 6.500l-2.500 1-1 2.500-1-2.500-2.500-1 2.500-1zM20 11l.7 1.800 1.800.7-1.800.7L20 16l-.7-1.800-1.800-.7 1.800-.7zM12.600 9.800l1.600 1.600L5.600 20 4 18.400z",
  plus: "M10.800 4h2.400v6.800H20v2.400h-6.800V20h-2.400v-6.800H4v-2.400h6.800z",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// An element; properties that begin with "on" listen, "class" and those with a dash are attributes.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "for" || name === "role" || name === "list" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function button(text, onclick, more = {}) {
  const { icon: name, iconOnly, ...rest } = more;
  const parts = name ? [icon(name)] : [];
  if (iconOnly) rest["aria-label"] = text;
  else parts.push(h("span", {}, text));
  return h("button", { type: "button", onclick, title: iconOnly ? text : null, ...rest }, parts);
}

export function colourOf(rgb, alpha = 1) {
  return `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]} / ${alpha})`;
}

export function say(text) {
  $("said").textContent = text;
}

export function toast(text, kind = "") {
  const note = h("div", { class: `toast ${kind}`, role: kind === "error" ? "alert" : "status" }, h("span", {}, text),
    button("Dismiss", () => note.remove(), { icon: "close", iconOnly: true, class: "quiet" }));
  $("toasts").append(note);
  setTimeout(() => note.remove(), kind === "error" ? 15000 : 6000);
}

// What a request gives; undefined where it was refused, and then its sentence is shown.
export const told = (request) => request.catch((error) => toast(error.message, "error"));

// A dialog; resolves with what `done` was given, or null where it was closed.
export function ask(title, build) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" });
    let answer = null;
    const done = (value) => { answer = value; dialog.close(); };
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), build(done));
    dialog.append(form);
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.body.append(dialog);
    dialog.showModal();
    const first = dialog.querySelector("[autofocus]");
    first?.focus();
    first?.select?.();
  });
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
