// Draws masks over the video, or the video without what is outside of them.
//
// Run lengths go down the columns, so they are written into a picture that lies on its side, where each is one stretch
// of memory; it is turned upright when it is drawn.

import { runsOf } from "./rle.js";

const GREEN = "rgb(0 177 64)";

export class Painter {
  constructor(canvas, width, height) {
    Object.assign(this, { canvas, width, height });
    canvas.width = width;
    canvas.height = height;
    this.context = canvas.getContext("2d");
    this.lying = new OffscreenCanvas(height, width);
    this.lyingContext = this.lying.getContext("2d");
    this.image = this.lyingContext.createImageData(height, width);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.owner = new Uint16Array(width * height);
    this.ids = [];
    this.stretches = [];
    [this.left, this.right] = [width, 0];
  }

  // shown: [{id, counts, colour, map?}], the largest first. look: {opacity, outline, background, selected}
  draw(shown, look, picture, content) {
    this.ids = shown.map((one) => one.id);
    this.wipe();
    shown.forEach((one, place) => {
      if (one.map) this.mapped(one.map, place + 1);
      else this.filled(one.counts, place + 1);
    });
    if (look.background === "video") this.tint(shown, look);
    else this.cut(look, picture, content);
  }

  // Only what was written to is wiped, coloured and drawn: the columns from `left` to `right`, in stretches.
  wipe() {
    for (let i = 0; i < this.stretches.length; i += 2) {
      this.owner.fill(0, this.stretches[i], this.stretches[i + 1]);
      this.pixels.fill(0, this.stretches[i], this.stretches[i + 1]);
    }
    this.stretches = [];
    this.before = [this.left, this.right];
    [this.left, this.right] = [this.width, 0];
  }

  stretch(begin, end, place) {
    this.owner.fill(place, begin, end);
    this.stretches.push(begin, end);
    this.left = Math.min(this.left, Math.floor(begin / this.height));
    this.right = Math.max(this.right, Math.ceil(end / this.height));
  }

  filled(counts, place) {
    let begin = 0, inside = false;
    for (const run of runsOf(counts)) {
      if (inside && run) this.stretch(begin, begin + run, place);
      begin += run;
      inside = !inside;
    }
  }

  mapped(map, place) {
    for (let i = map.indexOf(1); i >= 0;) {
      const end = map.indexOf(0, i);
      this.stretch(i, end < 0 ? map.length : end, place);
      i = end < 0 ? -1 : map.indexOf(1, end);
    }
  }

  tint(shown, look) {
    const { owner, pixels, height, stretches } = this;
    const alpha = Math.round(look.opacity * 255);
    const flat = [0], line = [0], lined = [false];
    for (const one of shown) {
      const [red, green, blue] = one.colour;
      const base = (blue << 16) | (green << 8) | red;
      const chosen = one.id === look.selected;
      flat.push((((chosen ? Math.min(255, alpha + 36) : alpha) << 24) | base) >>> 0);
      line.push(chosen ? 0xffffffff : ((255 << 24) | base) >>> 0);
      lined.push(look.outline || chosen);
    }
    const reach = Math.max(1, Math.round(Math.sqrt(this.width * height) / 450));
    const side = reach * height;
    for (let stretch = 0; stretch < stretches.length; stretch += 2) {
      const end = stretches[stretch + 1];
      for (let i = stretches[stretch]; i < end; i++) {
        const own = owner[i];
        let value = flat[own];
        if (lined[own]) {
          const y = i % height;
          if (y < reach || y >= height - reach || owner[i - reach] !== own || owner[i + reach] !== own ||
              owner[i - side] !== own || owner[i + side] !== own) value = line[own];
        }
        pixels[i] = value;
      }
    }
    this.stand();
  }

  // Keeps the video where masks are, over another ground.
  cut(look, picture, content) {
    const { context, width, height, pixels, stretches } = this;
    for (let i = 0; i < stretches.length; i += 2) pixels.fill(0xff000000, stretches[i], stretches[i + 1]);
    this.before = [0, width];
    this.stand();
    const [whole, tall] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
    const part = [0, 0, whole * content[0], tall * content[1], 0, 0, width, height];
    context.globalCompositeOperation = "source-in";
    context.drawImage(picture, ...part);
    context.globalCompositeOperation = "destination-over";
    if (look.background === "blur") {
      context.filter = `blur(${Math.max(width, height) / 80}px)`;
      context.drawImage(picture, ...part);
      context.filter = "none";
    } else if (look.background === "green") {
      context.fillStyle = GREEN;
      context.fillRect(0, 0, width, height);
    } else {
      context.fillStyle = this.checks ??= checkered(context);
      context.fillRect(0, 0, width, height);
    }
    context.globalCompositeOperation = "source-over";
    this.whole = true;
  }

  // From the picture that lies on its side to the canvas, where either was or is written to.
  stand() {
    const { context, lyingContext, height } = this;
    const left = this.whole ? 0 : Math.min(this.left, this.before[0]);
    const right = this.whole ? this.width : Math.max(this.right, this.before[1]);
    this.whole = false;
    if (right <= left) return;
    lyingContext.putImageData(this.image, 0, 0, 0, left, height, right - left);
    context.clearRect(left, 0, right - left, height);
    context.setTransform(0, 1, 1, 0, 0, 0);
    context.drawImage(this.lying, 0, left, height, right - left, 0, left, height, right - left);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  // The track at a pixel, or null.
  hit(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    const own = this.owner[x * this.height + y];
    return own ? this.ids[own - 1] : null;
  }
}

function checkered(context) {
  const tile = new OffscreenCanvas(32, 32);
  const pen = tile.getContext("2d");
  pen.fillStyle = "#8a8f98";
  pen.fillRect(0, 0, 32, 32);
  pen.fillStyle = "#70757e";
  pen.fillRect(0, 0, 16, 16);
  pen.fillRect(16, 16, 16, 16);
  return context.createPattern(tile, "repeat");
}

// Area and highest point of run lengths, for the order of drawing and the place of a name.
export function measured(counts, height) {
  let place = 0, inside = false, area = 0, top = height, left = Infinity, right = 0;
  for (const run of runsOf(counts)) {
    if (inside && run) {
      area += run;
      const first = Math.floor(place / height), last = Math.floor((place + run - 1) / height);
      left = Math.min(left, first);
      right = Math.max(right, last);
      top = Math.min(top, last > first ? 0 : place % height);
    }
    place += run;
    inside = !inside;
  }
  return { area, top, left, right };
}
