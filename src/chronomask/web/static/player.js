// A video of which every frame can be shown by its number.
//
// A frame that stands still is decoded by the page where that can be (stills.js), and lies over the video. Else, and
// while it plays, the browser shows the video. Browsers find frames by time: one is asked for by a time between its own
// and the next one's, and which one is shown is told by requestVideoFrameCallback alone: before its first call a picture
// may be blank.

import { bytes } from "./api.js";
import { Stills } from "./stills.js";

export class Player {
  constructor(video, still, shown, failed) {
    Object.assign(this, { video, still, shown, failed });
    this.frame = -1;
    this.wanted = null;
    this.seeking = null;
    this.stills = null;
    this.decoding = false; // rather than asking the video for the frame that is sought
    still.hidden = true;
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.addEventListener("error", () => this.video.getAttribute("src") && this.failed());
    video.addEventListener("seeked", () => this.sought());
    video.addEventListener("pause", () => this.paused());
  }

  async open(media, times, packets) {
    const table = new Float64Array(await bytes(times));
    const stills = await Stills.opened(media, packets);
    this.stills?.close();
    if (this.watching === null) { // closed meanwhile
      stills?.close();
      return;
    }
    this.stills = stills;
    this.length = table.length / 2;
    this.times = table.subarray(0, this.length);
    this.asked = table.subarray(this.length);
    this.video.preload = this.stills ? "metadata" : "auto";
    this.video.src = media;
    this.frame = -1;
    this.seeking = null;
    this.decoding = false;
    this.watch();
  }

  watch() {
    const token = (this.watching = {});
    const next = (now, data) => {
      if (token !== this.watching) return;
      if (this.playing || !this.stills || (this.seeking !== null && !this.decoding)) {
        this.still.hidden = true;
        this.take(this.nearest(data.mediaTime));
      }
      this.video.requestVideoFrameCallback(next);
    };
    this.video.requestVideoFrameCallback(next);
  }

  // What is seen: the video, or the still picture over it.
  get picture() {
    return this.still.hidden ? this.video : this.still;
  }

  nearest(time) {
    let low = 0, high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    if (low + 1 < this.length && this.times[low + 1] - time < time - this.times[low]) low += 1;
    return low;
  }

  take(frame) {
    this.frame = frame;
    if (this.seeking === frame) this.arrived();
    this.shown(frame);
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  // Shows a frame; of many wishes that come while one is being found, the last one counts.
  seek(frame) {
    frame = Math.max(0, Math.min(this.length - 1, frame));
    this.wanted = frame;
    if (this.seeking === null) this.begin();
    return frame;
  }

  begin() {
    const frame = this.wanted;
    this.wanted = null;
    if (frame === this.frame && !this.playing) return;
    this.seeking = frame;
    if (this.stills && !this.playing) this.decode(frame);
    else this.video.currentTime = this.asked[frame];
  }

  async decode(frame) {
    const { stills } = this;
    this.decoding = true;
    let drawn = false;
    try {
      const picture = await stills.at(this.times[frame]);
      await this.draw(picture, stills).finally(() => picture.close());
      drawn = true;
    } catch { /* the browser is asked instead */ }
    if (stills !== this.stills) return;
    this.decoding = false;
    if (!drawn) {
      stills.close();
      this.stills = null;
      this.video.preload = "auto";
      this.video.currentTime = this.asked[frame];
      return;
    }
    if (this.playing) { // begun meanwhile
      this.arrived();
      return;
    }
    this.still.hidden = false;
    this.take(frame);
  }

  // By a copy of its pixels: of pictures that are drawn themselves Chromium keeps the pixels, up to half a gigabyte.
  // Nothing of stills that were replaced meanwhile.
  async draw(picture, stills) {
    const { still } = this, { width, height } = picture.visibleRect;
    if (this.pixels?.width !== width || this.pixels.height !== height) this.pixels = new ImageData(width, height);
    const copied = picture.copyTo(this.pixels.data, { format: "RGBA" });
    const isRgba = await copied.then(() => true, () => false); // some browsers make none of such pictures
    if (stills !== this.stills) return;
    if (still.width !== width || still.height !== height) Object.assign(still, { width, height });
    const pen = still.getContext("2d", { alpha: false });
    if (isRgba) pen.putImageData(this.pixels, 0, 0);
    else pen.drawImage(picture, 0, 0, width, height);
  }

  // The browser tells of its last picture before or after it pauses: the frame that counts is shown by its number.
  paused() {
    if (!this.stills || this.seeking !== null || this.frame < 0) return;
    this.seeking = this.frame;
    this.decode(this.frame);
  }

  // The callback may have come before, or comes in a moment, or never: where the picture stays the same.
  sought() {
    if (this.seeking === null || this.decoding) return;
    const sought = this.seeking;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => { if (this.seeking === sought) this.take(sought); }, 120);
  }

  arrived() {
    this.seeking = null;
    if (this.wanted !== null) this.begin();
  }

  toggle() {
    if (this.playing) this.video.pause();
    else {
      if (this.frame >= this.length - 1 || this.video.ended) this.video.currentTime = this.asked[0];
      else if (this.stills) this.video.currentTime = this.asked[Math.max(0, this.frame)];
      this.video.play().catch(() => {});
    }
  }

  close() {
    this.watching = null;
    this.stills?.close();
    this.stills = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
