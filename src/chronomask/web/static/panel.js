// What is beside the video: objects, how they look, and what is made of them.

import { post, upload } from "./api.js";
import { $, ask, button, colourOf, h, icon, say, toast, told } from "./dom.js";

const TABS = [["objects", "Objects"], ["view", "View"], ["export", "Export"], ["understand", "Why"]];

function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`;
}

function field(id, label, input, note) {
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input, note && h("p", { class: "note" }, note));
}

function check(id, label, checked, onchange) {
  return h("label", { class: "check", for: id }, h("input", { type: "checkbox", id, checked, onchange }), h("span", {}, label));
}

export class Panel {
  constructor(work) {
    this.work = work;
    this.tab = "objects";
    this.exported = null;
    this.scores = null;
    this.opened = new Set(work.project.truth ? ["score"] : []);
  }

  open(tab) {
    this.tab = tab;
    this.show();
    $(`tab-${tab}`).focus();
    if (matchMedia("(max-width: 900px)").matches) $("panel").scrollIntoView({ behavior: "smooth" });
  }

  show() {
    const focused = document.activeElement?.id;
    const scrolled = $("panel-page")?.scrollTop;
    const tabs = TABS.map(([id, text]) => h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-selected": String(id === this.tab), "aria-controls": "panel-page",
      tabIndex: id === this.tab ? 0 : -1, onclick: () => { this.tab = id; this.show(); }, onkeydown: (event) => this.turn(event) }, text));
    const page = h("div", { id: "panel-page", class: `page ${this.tab}`, role: "tabpanel", "aria-labelledby": `tab-${this.tab}`, tabIndex: -1 }, this[this.tab]());
    $("panel").replaceChildren(h("div", { class: "tabs", role: "tablist", "aria-label": "Objects and settings" }, tabs), page);
    if (scrolled) page.scrollTop = scrolled;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    this.work.understand.follow();
  }

  turn(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const place = TABS.findIndex(([id]) => id === this.tab);
    this.tab = TABS[(place + step + TABS.length) % TABS.length][0];
    this.show();
    $(`tab-${this.tab}`).focus();
  }

  // --- objects ---

  objects() {
    const { work } = this;
    const { project } = work;
    if (!project.run) {
      const busy = work.page.jobs().some((job) => ["look", "segment"].includes(job.kind) && ["waiting", "running"].includes(job.state));
      return h("div", { class: "empty" }, h("p", {}, busy ? "Objects are being found. You can watch the video meanwhile." : "No objects yet."),
        !busy && button("Find objects", () => this.segment(), { class: "primary", id: "segment" }));
    }
    const { listed } = work;
    const below = project.tracks.length - listed.length;
    const rows = listed.map((track) => this.row(track));
    return [
      project.note && h("p", { class: "warning" }, project.note),
      !project.complete && h("p", { class: "warning" }, "Only the first part was looked at: it was cancelled."),
      listed.length === 0 && h("p", { class: "empty" }, project.tracks.length ? "No object passes the score and classes of the View tab." : "Nothing was found."),
      listed.length > 0 && h("table", { class: "tracks" },
        h("thead", {}, h("tr", {}, ["Show", "Object", "Name", "Mask", "Frames"].map((text, place) => h("th", { scope: "col", title: ["Shown or hidden", "", "How likely the name is right", "How likely the mask is right", "Frames in which it is seen"][place] }, text)))),
        h("tbody", {}, rows)),
      below > 0 && h("p", { class: "note" }, `${below} more ${below === 1 ? "is" : "are"} left out by score or class. `, button("Show all", () => { work.setView({ score: 0, off: [] }); this.show(); }, { class: "link" })),
      work.pointing.active ? work.pointing.section() : this.actions(),
      h("div", { class: "row more" }, button("Point at a missed object", () => work.brush.use("cut"), { icon: "wand", class: "small", id: "new-pointed" }),
        button("Paint a new one", () => work.corrections.draw(), { icon: "plus", class: "small", id: "new-object" })),
    ];
  }

  row(track) {
    const { work } = this;
    const hidden = work.view.hidden.includes(track.id);
    const swatch = h("span", { class: "swatch" });
    swatch.style.setProperty("--colour", colourOf(track.colour));
    if (track.picture) {
      swatch.append(h("img", { alt: "", loading: "lazy", src: `/api/projects/${work.project.id}/pictures/${track.picture}`}));
    }
    const chosen = track.id === work.selected;
    return h("tr", { class: `${chosen ? "chosen" : ""} ${hidden ? "off" : ""}`, "data-track": track.id },
      h("td", {}, button(`${hidden ? "Show" : "Hide"} ${track.name} ${track.id}`, () => work.corrections.hide(track.id),
        { icon: hidden ? "hidden" : "eye", iconOnly: true, class: "quiet", "aria-pressed": String(!hidden), id: `eye-${track.id}` })),
      h("td", {}, h("button", { type: "button", class: "object", id: `object-${track.id}`, "aria-pressed": String(chosen), onclick: () => this.choose(track) },
        swatch, h("span", { class: "object-name" }, `${track.name} `, h("small", {}, `#${track.id}`)))),
      h("td", {}, percent(track.classScore)), h("td", {}, percent(track.score)), h("td", {}, track.frames.toLocaleString("en")));
  }

  choose(track) {
    const { work } = this;
    if (track.id === work.selected) { work.select(null); return; }
    work.select(track.id);
    const seen = track.spans.some(([first, last]) => first <= work.frame && work.frame <= last);
    if (!seen && track.spans.length) work.goTo(track.spans[0][0]);
  }

  actions() {
    const { work } = this;
    const track = work.track(work.selected);
    if (!track) return work.listed.length > 0 && h("p", { class: "note hint" }, "Click an object in the video or the table to correct it.");
    const { corrections } = work;
    const hidden = work.view.hidden.includes(track.id);
    const one = (id, text, action, key) => h("button", { type: "button", id: `do-${id}`, class: id === "delete" ? "danger" : "", "aria-keyshortcuts": key, onclick: action }, text, h("kbd", { "aria-hidden": "true" }, key));
    return h("section", { class: "actions", "aria-label": `Correct ${track.name} ${track.id}` },
      h("h3", {}, `${track.name} #${track.id}`),
      h("div", { class: "grid" },
        one("hide", hidden ? "Show" : "Hide", () => corrections.hide(), "H"), one("rename", "Rename", () => corrections.rename(), "R"),
        one("merge", "Merge …", () => corrections.merge(), "M"), one("split", "Split here", () => corrections.split(), "S"),
        one("swap", "Swap from here", () => corrections.swap(), "X"), one("paint", "Paint", () => work.brush.use("paint"), "2"),
        one("erase", "Erase", () => work.brush.use("erase"), "3"), one("delete", "Delete", () => corrections.remove(), "Del")));
  }

  async segment() {
    await told(post(`/api/projects/${this.work.project.id}/segment`));
    await this.work.page.refresh();
    this.show();
  }

  async again() {
    const sure = !this.work.project.undo || await ask("Replace your corrections?", (done) => [
      h("p", {}, "The objects are found anew, and what you corrected is lost when that is done."),
      h("div", { class: "dialog-buttons" }, button("Keep", () => done(null)), button("Replace", () => done(true), { class: "danger" }))]);
    if (sure) await this.segment();
  }

  understand() {
    return this.work.understand.page();
  }

  // --- view ---

  view() {
    const { work } = this;
    const { view, project } = work;
    const change = (values, all = false) => { work.setView(values); if (all) this.show(); };
    const score = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: view.score });
    const scoreText = h("output", { for: "score" }, percent(view.score));
    score.addEventListener("input", () => { scoreText.textContent = percent(Number(score.value)); change({ score: Number(score.value) }); });
    const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: view.opacity });
    opacity.addEventListener("input", () => change({ opacity: Number(opacity.value) }));
    const classes = [...new Set(project.tracks.map((track) => track.name))].sort();
    const grounds = [["video", "The video"], ["blur", "Blurred"], ["green", "Green"], ["remove", "Removed"]];
    return [
      h("div", { class: "field" }, h("label", { for: "score" }, "Least mask score ", scoreText), Object.assign(score, { id: "score" })),
      h("fieldset", { class: "field" }, h("legend", {}, "Classes"), h("div", { class: "chips" }, classes.length ? classes.map((name, place) => {
        const on = !view.off.includes(name);
        return h("button", { type: "button", class: "chip", id: `class-${place}`, "aria-pressed": String(on),
          onclick: () => change({ off: on ? [...view.off, name] : view.off.filter((other) => other !== name) }, true) }, name);
      }) : h("span", { class: "note" }, "none yet"))),
      field("opacity", "Opacity of masks", opacity),
      h("div", { class: "field" }, check("outline", "Outlines", view.outline, (event) => change({ outline: event.target.checked })),
        check("names", "Names", view.names, (event) => change({ names: event.target.checked }))),
      h("fieldset", { class: "field" }, h("legend", {}, "Background"), h("div", { class: "choices" }, grounds.map(([id, text]) =>
        h("label", { class: "choice", for: `ground-${id}` }, h("input", { type: "radio", name: "ground", id: `ground-${id}`, checked: view.background === id, onchange: () => change({ background: id }) }), h("span", {}, text))))),
    ];
  }

  // --- export ---

  get chosenIds() {
    return this.work.project.tracks.filter((track) => this.work.visible(track)).map((track) => track.id);
  }

  export() {
    const { work } = this;
    const { project } = work;
    if (!project.run) return h("p", { class: "empty" }, "There is nothing to export yet.");
    const choice = (this.choice ??= { overlay: true, masks: null, cutout: null, cutout_tracks: "all", background: null, feather: 1 });
    const set = (values) => Object.assign(choice, values);
    const select = (value, options, onchange, disabled = false) => h("select", { onchange, disabled }, options.map(([id, text]) => h("option", { value: id, selected: id === (value ?? "") }, text)));
    return [
      h("p", { class: "note" }, `What is shown is exported: ${this.chosenIds.length} of ${project.tracks.length} objects, as they are corrected.`),
      h("div", { class: "field" },
        check("x-overlay", "Overlay: the video with masks and names", choice.overlay, (event) => set({ overlay: event.target.checked })),
        check("x-masks", "Mask images: a PNG a frame, with the numbers of objects", choice.masks === "png", (event) => set({ masks: event.target.checked ? "png" : null }))),
      field("x-cutout", "Cut-outs", select(choice.cutout, [["", "none"], ["mov", "ProRes 4444 with alpha (editors)"], ["webm", "WebM with alpha"], ["png", "PNG images with alpha"], ["matte", "white on black"]], (event) => { set({ cutout: event.target.value || null }); this.show(); })),
      field("x-cutout-tracks", "In the cut-outs", select(choice.cutout_tracks, [["all", "each object by itself"], ["together", "all objects together"]], (event) => set({ cutout_tracks: event.target.value }), !choice.cutout)),
      field("x-background", "Another background", select(choice.background, [["", "none"], ["blur", "the video, blurred"], ["green", "green"]], (event) => set({ background: event.target.value || null }))),
      field("x-feather", "Softness of edges, in pixels", h("input", { type: "number", min: 0, max: 50, step: 0.5, value: choice.feather, onchange: (event) => set({ feather: Number(event.target.value) }) })),
      h("div", { class: "row" }, button("Make them", () => this.make(), { class: "primary", id: "export-make" }),
        h("a", { class: "button", id: "download-tracks", href: `/api/projects/${project.id}/tracks.json` }, "Tracks alone (tracks.json)")),
      this.exported && h("section", { class: "results", "aria-label": "Exported files" }, h("h3", {}, "Ready"), h("ul", {}, this.exported.map((file) =>
        h("li", {}, h("a", { href: `/api/projects/${project.id}/export/${file.name}`, download: "" }, file.name), ` ${(file.bytes / 1e6).toFixed(1)} MB`)))),
      this.fold("score", "Score against ground truth", this.scoring()),
      this.fold("teach", "Teach the model, or begin anew", this.teaching()),
    ];
  }

  // A part that opens and closes, and stays so when the panel is built anew.
  fold(id, title, content) {
    const ontoggle = (event) => this.opened[event.target.open ? "add" : "delete"](id);
    return h("details", { open: this.opened.has(id), ontoggle }, h("summary", {}, title), content);
  }

  async make() {
    const choice = { ...this.choice };
    if (!choice.cutout) delete choice.cutout_tracks;
    await this.ordered("export", { choice, tracks: this.chosenIds });
  }

  async ordered(what, body) {
    await told(post(`/api/projects/${this.work.project.id}/${what}`, body));
    await this.work.page.refresh();
  }

  scoring() {
    const { project } = this.work;
    const input = h("input", { type: "file", id: "truth", accept: ".json,.xml,.txt", class: "unseen", onchange: async (event) => {
      const [file] = event.target.files;
      if (!file) return;
      const scored = await told(upload(`/api/projects/${project.id}/truth`, file, () => {}));
      if (scored) this.work.take(scored);
    } });
    const table = this.scores && h("table", { class: "scores" }, h("thead", {}, h("tr", {}, ["", "AP", "AP50", "AP75", "AR10"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, [["with names", this.scores.named], ["masks alone", this.scores.anonymous]].map(([text, numbers]) =>
        h("tr", {}, h("th", { scope: "row" }, text), ["AP", "AP50", "AP75", "AR10"].map((key) => h("td", {}, numbers[key] < 0 ? "–" : (100 * numbers[key]).toFixed(1)))))));
    return [
      h("p", { class: "note" }, "Annotations of this video, in YouTube-VIS form or any other that the convert command reads."),
      h("div", { class: "row" }, input, h("label", { class: "button", for: "truth" }, icon("upload"), project.truth ? "Another file" : "Choose a file"),
        button("Score what is shown", () => this.ordered("score", { tracks: this.chosenIds }), { id: "score-now", disabled: !project.truth })),
      table, this.scores && h("p", {}, h("a", { href: `/api/projects/${project.id}/report`, target: "_blank", rel: "noopener" }, "What the lost points were lost to")),
    ];
  }

  teaching() {
    const { project } = this.work;
    return [
      h("p", { class: "note" }, project.taught ? "This video has a model of its own, taught on your corrections." : "The model learns from the objects that are shown, in some minutes. It needs the extra `train`."),
      h("div", { class: "row" }, button("Teach it what is shown", () => this.ordered("teach", { tracks: this.chosenIds }), { id: "teach" }),
        button("Find objects again", () => this.again(), { id: "segment-again" })),
      h("p", { class: "note" }, "Finding objects again replaces the tracks and their corrections."),
    ];
  }

  jobEnded(job) {
    if (job.state !== "done") return;
    if (job.kind === "draw") {
      this.exported = job.result.files;
      if (this.tab === "export") say("The export is ready."); // and to be seen there
      else toast("The export is ready.");
    } else if (job.kind === "score") this.scores = job.result;
    else if (job.kind === "teach") toast("The model has learnt. Find objects again to use it.");
    this.show();
  }
}
