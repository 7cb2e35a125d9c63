// Single frames, decoded by the page: what lies between a key frame and the wanted one is read and decoded, and no more.
// A video element reads and decodes far ahead of every frame that it is sent to.

import { bytes, get } from "./api.js";

const MOST = 2 ** 26; // bytes of one frame and what it needs; of more, a video element makes less of a fuss

export class Stills {
  // Null where the browser or the file does not allow it.
  static async opened(media, packets) {
    const table = "VideoDecoder" in window ? await get(packets).catch(() => null) : null;
    if (!table) return null;
    const description = Uint8Array.from(atob(table.description), (letter) => letter.charCodeAt(0));
    const codec = `avc1.${[...description.subarray(1, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    // Of colours without tags: a video element takes those of small pictures for BT.601, a decoder takes all for BT.709.
    const small = { matrix: "smpte170m", primaries: "smpte170m", transfer: "smpte170m", fullRange: false };
    const config = { codec, description, ...(table.rows < 720 ? { colorSpace: small } : {}) };
    const { supported } = await VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    return supported ? new Stills(media, table, config) : null;
  }

  constructor(media, table, config) {
    this.media = media;
    this.offsets = Float64Array.from(table.offsets);
    this.sizes = Uint32Array.from(table.sizes);
    this.times = Float64Array.from(table.times);
    this.keys = Uint8Array.from(table.keys);
    this.order = Uint32Array.from(this.times.keys()).sort((one, other) => this.times[one] - this.times[other]);
    this.decoder = new VideoDecoder({ output: (frame) => this.take(frame), error: () => {} }); // flush() rejects too
    this.decoder.configure(config);
  }

  // The picture at a time of the file, to be closed by who asks. One at a time.
  async at(time) {
    const last = this.packet(time);
    let first = last;
    while (first > 0 && !(this.keys[first] && this.times[first] <= time)) first -= 1;
    const ends = (i) => this.offsets[i] + this.sizes[i];
    let begin = Infinity, end = 0;
    for (let i = first; i <= last; i++) [begin, end] = [Math.min(begin, this.offsets[i]), Math.max(end, ends(i))];
    if (last < 0 || !this.keys[first] || end - begin > MOST) throw new Error("not to be decoded here");
    const read = await bytes(this.media, { range: `bytes=${begin}-${end - 1}` });
    this.wanted = stamp(time);
    for (let i = first; i <= last; i++) {
      const data = new Uint8Array(read, this.offsets[i] - begin, this.sizes[i]);
      this.decoder.decode(new EncodedVideoChunk({ type: this.keys[i] ? "key" : "delta", timestamp: stamp(this.times[i]), data }));
    }
    await this.decoder.flush();
    const { found } = this;
    this.found = null;
    if (!found) throw new Error("the picture did not come");
    return found;
  }

  // Number of the packet that is shown at a time, or -1.
  packet(time) {
    let low = 0, high = this.order.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[this.order[middle]] < time) low = middle + 1;
      else high = middle;
    }
    return this.times[this.order[low]] === time ? this.order[low] : -1;
  }

  take(frame) {
    if (frame.timestamp === this.wanted && !this.found) this.found = frame;
    else frame.close();
  }

  close() {
    this.found?.close();
    if (this.decoder.state !== "closed") this.decoder.close();
  }
}

function stamp(time) {
  return Math.round(time * 1e6);
}
