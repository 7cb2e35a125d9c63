// What the network says of the frame: its maps, drawn over the video, and their values under the pointer.

import { post } from "./api.js";
import { h, toast } from "./dom.js";

const NAMES = { heat: "Heat: middles of objects", embedding: "Embedding, in colours", deviation: "Uncertainty of the embedding", foreground: "Foreground" };
const STOPS = [[13, 8, 60], [70, 30, 130], [190, 55, 110], [245, 130, 50], [252, 230, 130]];

function named(layer, instances) {
  if (layer.startsWith("attention-")) return `Attention, stride ${layer.slice(10)}`;
  if (layer.startsWith("member-")) {
    const place = Number(layer.slice(7));
    return `Membership in object ${place + 1}${instances[place]?.name ? ` (${instances[place].name})` : ""}`;
  }
  return NAMES[layer] ?? layer;
}

export class Understand {
  constructor(work) {
    this.work = work;
    this.layer = "heat";
    this.answer = null;
    this.canvas = h("canvas", { class: "layer", "aria-hidden": "true", hidden: true });
  }

  get active() {
    return this.work.panel.tab === "understand";
  }

  // The frame or the tab has changed.
  follow() {
    this.canvas.hidden = !this.active || this.answer?.frame !== this.work.frame;
    if (!this.active) return;
    clearTimeout(this.timer);
    if (this.answer?.frame === this.work.frame) this.draw();
    else if (!this.work.player.playing && this.work.frame >= 0) this.timer = setTimeout(() => this.fetch(), 200);
  }

  async fetch() {
    const frame = this.work.frame;
    this.busy = true;
    this.tell();
    try {
      const answer = await post(`/api/projects/${this.work.project.id}/explain`, { frame });
      for (const map of [...Object.values(answer.layers), answer.owners]) map.bytes = Uint8Array.from(atob(map.bytes), (letter) => letter.charCodeAt(0));
      this.answer = answer;
    } catch (error) { toast(error.message, "error"); }
    this.busy = false;
    if (this.work.closed || !this.active) return;
    if (frame !== this.work.frame) { this.follow(); return; }
    this.work.panel.show();
    this.follow();
  }

  draw() {
    const map = this.answer.layers[this.layer] ?? this.answer.layers.heat;
    const { width, height, channels, bytes } = map;
    Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d"), image = pen.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const colour = channels === 3 ? bytes.subarray(3 * i, 3 * i + 3) : coloured(bytes[i] / 255);
      image.data.set([colour[0], colour[1], colour[2], 225], 4 * i);
    }
    pen.putImageData(image, 0, 0);
    this.canvas.hidden = false;
  }

  // Values under the pointer, at shares of width and height.
  at(x, y) {
    if (!this.active || !this.answer || this.answer.frame !== this.work.frame) return;
    this.place = [x, y];
    this.tell();
  }

  value(map) {
    const [x, y] = this.place;
    const i = Math.min(map.height - 1, Math.floor(y * map.height)) * map.width + Math.min(map.width - 1, Math.floor(x * map.width));
    return map.channels === 3 ? [...map.bytes.subarray(3 * i, 3 * i + 3)] : map.bytes[i];
  }

  tell() {
    const room = document.getElementById("readout");
    if (!room) return;
    if (this.busy) { room.replaceChildren(h("p", { class: "note" }, "Asking the network …")); return; }
    if (!this.answer || !this.place) { room.replaceChildren(h("p", { class: "note" }, "Point at a pixel of the video, or move over it with the arrow keys.")); return; }
    const { layers, owners, instances } = this.answer;
    const owner = this.value(owners);
    const rows = [["Belongs to", owner ? `object ${owner}${instances[owner - 1]?.name ? `, ${instances[owner - 1].name}` : ""}` : "nobody"]];
    if (owner) {
      const seed = instances[owner - 1];
      rows.push(["Seed that won", `frame ${seed.frame}, ${Math.round(seed.x)}, ${Math.round(seed.y)}, heat ${seed.heat.toFixed(2)}`]);
    }
    const bars = Object.entries(layers).filter(([, map]) => map.channels === 1).map(([layer, map]) => {
      const share = this.value(map) / 255;
      const bar = h("meter", { min: 0, max: 1, value: share, "aria-label": named(layer, instances) });
      return h("li", {}, h("span", {}, named(layer, instances)), bar, h("b", {}, share.toFixed(2)));
    });
    room.replaceChildren(h("dl", { class: "facts" }, rows.map(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])), h("ul", { class: "bars" }, bars));
  }

  page() {
    const instances = this.answer?.instances ?? [];
    const layers = this.answer ? Object.keys(this.answer.layers) : ["heat", "embedding", "deviation"];
    if (!layers.includes(this.layer)) this.layer = "heat";
    const select = h("select", { id: "layer", onchange: (event) => { this.layer = event.target.value; if (this.answer) this.draw(); } },
      layers.map((layer) => h("option", { value: layer, selected: layer === this.layer }, named(layer, instances))));
    setTimeout(() => { this.tell(); this.follow(); });
    return [
      h("p", { class: "note" }, "Why objects of this frame were found, joined or missed: what the network says of it, and of the pixel under the pointer."),
      h("div", { class: "field" }, h("label", { for: "layer" }, "Shown over the video"), select),
      h("div", { id: "readout" }),
      instances.length > 0 && h("details", {}, h("summary", {}, `Seeds of this clip (${instances.length})`), h("ol", { class: "seeds" }, instances.map((one) =>
        h("li", {}, `frame ${one.frame}: heat ${one.heat.toFixed(2)}, ${one.name ? `${one.name}, score ${one.score.toFixed(2)}` : "became no object"}`)))),
    ];
  }
}

function coloured(share) {
  const place = share * (STOPS.length - 1), low = Math.min(STOPS.length - 2, Math.floor(place)), part = place - low;
  return [0, 1, 2].map((axis) => STOPS[low][axis] * (1 - part) + STOPS[low + 1][axis] * part);
}
