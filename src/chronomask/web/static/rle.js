// COCO's compressed run lengths: column by column, background first. Groups of 5 bits, low first, one character
// (48 + bits) a group, bit 6 set where more follow; from the fourth number on, differences to the one two places before.

export function runsOf(counts) {
  const runs = [];
  let place = 0;
  while (place < counts.length) {
    let value = 0, shift = 0, bits;
    do {
      bits = counts.charCodeAt(place++) - 48;
      value += (bits & 31) * 2 ** shift;
      shift += 5;
    } while (bits & 32);
    if (bits & 16) value -= 2 ** shift;
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

export function countsOf(runs) {
  let text = "";
  for (let i = 0; i < runs.length; i++) {
    let value = i > 2 ? runs[i] - runs[i - 2] : runs[i];
    let more = true;
    while (more) {
      let bits = value & 31;
      value >>= 5;
      more = bits & 16 ? value !== -1 : value !== 0;
      if (more) bits |= 32;
      text += String.fromCharCode(48 + bits);
    }
  }
  return text;
}

// Run lengths of a map, one byte a pixel, column by column; empty text where nothing is set.
export function encoded(map) {
  const runs = [];
  let value = 0, begin = 0, any = false;
  for (let i = 0; i < map.length; i++) {
    if (map[i] !== value) {
      runs.push(i - begin);
      begin = i;
      value = map[i];
      any = true;
    }
  }
  runs.push(map.length - begin);
  return any ? countsOf(runs) : "";
}

export function fill(map, counts, value) {
  let place = 0, inside = false;
  for (const run of runsOf(counts)) {
    if (inside) map.fill(value, place, place + run);
    place += run;
    inside = !inside;
  }
}
