/**
 * ThumbHash placeholders: a picture's average colour and the lowest frequencies of a cosine transform in some 25 bytes.
 * Written from the description at https://evanw.github.io/thumbhash/; all numbers are little endian, lowest bits first.
 *
 *   24 bits  average lightness L, yellow-blue P, red-green Q (6 bits each), scale of L (5), has alpha (1)
 *   16 bits  how many frequencies the short side has (3), scales of P and Q (6 each), is landscape (1)
 *    8 bits  with alpha: its average and its scale (4 each)
 *   4 bits for each frequency of L, then P, Q and alpha
 */

/** The long side of a decoded placeholder, in pixels. */
const LONG_SIDE = 32;

/** @typedef {{ width: number, height: number, rgba: Uint8ClampedArray<ArrayBuffer> }} Placeholder */
/** @typedef {{ average: number, waves: { cx: number, cy: number, factor: number }[] }} Channel */

/**
 * Decodes a placeholder to at most 32×32 pixels of RGBA, row by row.
 * @param {string} base64 with or without padding
 * @returns {Placeholder | null} null when it is not a ThumbHash: a placeholder is never worth an error
 */
export function decodeThumbHash(base64) {
  const bytes = decodeBase64(base64);
  if (!bytes || bytes.length < 5) return null;
  const head = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const next = bytes[3] | (bytes[4] << 8);
  const hasAlpha = head >> 23 === 1;
  const isLandscape = next >> 15 === 1;
  const long = hasAlpha ? 5 : 7;
  const short = next & 7;
  if (short === 0 || (hasAlpha && bytes.length < 6)) return null;

  const nibbles = readNibbles(bytes.subarray(hasAlpha ? 6 : 5));
  const l = readChannel(nibbles, {
    nx: Math.max(3, isLandscape ? long : short),
    ny: Math.max(3, isLandscape ? short : long),
    average: (head & 63) / 63,
    scale: ((head >> 18) & 31) / 31,
  });
  // The encoder narrows the colours' range, as they rarely fill it; 1.25 makes up for it.
  const p = readChannel(nibbles, {
    nx: 3, ny: 3, average: ((head >> 6) & 63) / 31.5 - 1, scale: (((next >> 3) & 63) / 63) * 1.25,
  });
  const q = readChannel(nibbles, {
    nx: 3, ny: 3, average: ((head >> 12) & 63) / 31.5 - 1, scale: (((next >> 9) & 63) / 63) * 1.25,
  });
  const a = hasAlpha
    ? readChannel(nibbles, { nx: 5, ny: 5, average: (bytes[5] & 15) / 15, scale: (bytes[5] >> 4) / 15 })
    : null;

  const ratio = isLandscape ? long / short : short / long;
  const width = Math.max(1, Math.round(ratio > 1 ? LONG_SIDE : LONG_SIDE * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? LONG_SIDE / ratio : LONG_SIDE));
  return { width, height, rgba: paint(width, height, l, p, q, a) };
}

/**
 * Draws a placeholder on a canvas, which takes its size. The canvas stays empty when the hash is none.
 * @param {HTMLCanvasElement} canvas
 * @param {string} base64
 */
export function drawThumbHash(canvas, base64) {
  const placeholder = decodeThumbHash(base64);
  if (!placeholder) return;
  canvas.width = placeholder.width;
  canvas.height = placeholder.height;
  canvas.getContext('2d')?.putImageData(
    new ImageData(placeholder.rgba, placeholder.width, placeholder.height), 0, 0,
  );
}

/**
 * @param {number} width
 * @param {number} height
 * @param {Channel} l
 * @param {Channel} p
 * @param {Channel} q
 * @param {Channel | null} a
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
function paint(width, height, l, p, q, a) {
  const rgba = new Uint8ClampedArray(width * height * 4);
  const columns = cosines(width);
  const rows = cosines(height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const lightness = valueAt(l, columns[x], rows[y]);
      const yellowBlue = valueAt(p, columns[x], rows[y]);
      const redGreen = valueAt(q, columns[x], rows[y]);
      // L = (r + g + b) / 3, P = (r + g) / 2 - b, Q = r - g, solved for r, g and b.
      const blue = lightness - (2 / 3) * yellowBlue;
      const red = (3 * lightness - blue + redGreen) / 2;
      rgba[i] = red * 255;
      rgba[i + 1] = (red - redGreen) * 255;
      rgba[i + 2] = blue * 255;
      rgba[i + 3] = a ? valueAt(a, columns[x], rows[y]) * 255 : 255;
    }
  }
  return rgba;
}

/**
 * The cosines of the first seven frequencies at each place of a line.
 * @param {number} length
 * @returns {number[][]}
 */
function cosines(length) {
  return Array.from({ length }, (_, at) =>
    Array.from({ length: 7 }, (__, frequency) => Math.cos((Math.PI / length) * (at + 0.5) * frequency)));
}

/**
 * @param {Channel} channel
 * @param {number[]} column
 * @param {number[]} row
 * @returns {number}
 */
function valueAt({ average, waves }, column, row) {
  return waves.reduce((value, { cx, cy, factor }) => value + factor * column[cx] * row[cy] * 2, average);
}

/**
 * Reads the frequencies that are kept of a channel: those in the triangle at the low end, without the average.
 * @param {Iterator<number>} nibbles
 * @param {{ nx: number, ny: number, average: number, scale: number }} head
 * @returns {Channel}
 */
function readChannel(nibbles, { nx, ny, average, scale }) {
  /** @type {Channel['waves']} */
  const waves = [];
  for (let cy = 0; cy < ny; cy++) {
    for (let cx = cy === 0 ? 1 : 0; cx * ny < nx * (ny - cy); cx++) {
      // A hash that was cut short goes on with the middle of the range, which adds nothing.
      waves.push({ cx, cy, factor: ((nibbles.next().value ?? 7.5) / 7.5 - 1) * scale });
    }
  }
  return { average, waves };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Generator<number>}
 */
function* readNibbles(bytes) {
  for (const byte of bytes) {
    yield byte & 15;
    yield byte >> 4;
  }
}

/**
 * @param {string} base64
 * @returns {Uint8Array | null}
 */
function decodeBase64(base64) {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
