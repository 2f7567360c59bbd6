/** ThumbHash placeholders, after https://evanw.github.io/thumbhash/: a mean colour and the low frequencies of a cosine transform. */

/** Decodes one to at most 32×32 pixels of RGBA; null when it is none. @param {string} base64 */
export function decodeThumbHash(base64) {
  let text = '';
  try {
    text = atob(base64);
  } catch {
    // A placeholder is never worth an error.
  }
  /** Reads some bits, lowest first. @param {number} at @param {number} count */
  const bits = (at, count) => {
    let value = 0;
    for (let i = at + count; i-- > at;) value = value * 2 + ((text.charCodeAt(i >> 3) >> (i & 7)) & 1);
    return value;
  };
  const alpha = bits(23, 1);
  const short = bits(24, 3);
  let at = alpha ? 48 : 40;
  if (!short || text.length * 8 < at) return null;
  const long = alpha ? 5 : 7;
  const [nx, ny] = bits(39, 1) ? [long, short] : [short, long];
  const width = Math.round(32 * Math.min(1, nx / ny));
  const height = Math.round(32 * Math.min(1, ny / nx));
  const rgba = new Uint8ClampedArray(width * height * 4);
  /** @param {number} n @param {number} length */
  const wave = (n, length) => Float64Array.from({ length }, (_, i) => Math.cos((Math.PI / length) * (i + 0.5) * n));

  /** Reads what is kept of a channel. @param {number} w @param {number} h @param {number} mean @param {number} scale */
  const channel = (w, h, mean, scale) => {
    const values = new Float64Array(width * height).fill(mean);
    for (let y = 0; y < h; y++) {
      for (let x = y ? 0 : 1; x * h < w * (h - y); x++, at += 4) {
        // What was cut off is the middle of the range, which adds nothing.
        const factor = ((at < text.length * 8 ? bits(at, 4) : 7.5) / 7.5 - 1) * scale * 2;
        const columns = wave(x, width);
        let i = 0;
        for (const row of wave(y, height)) for (const column of columns) values[i++] += factor * row * column;
      }
    }
    return values;
  };
  const light = channel(Math.max(3, nx), Math.max(3, ny), bits(0, 6) / 63, bits(18, 5) / 31);
  // The encoder narrows the colours' range by 1.25. P is red and green less blue, Q red less green.
  const p = channel(3, 3, bits(6, 6) / 31.5 - 1, bits(27, 6) / 50.4);
  const q = channel(3, 3, bits(12, 6) / 31.5 - 1, bits(33, 6) / 50.4);
  const a = alpha ? channel(5, 5, bits(40, 4) / 15, bits(44, 4) / 15) : light.map(() => 1);
  for (let i = 0; i < rgba.length; i += 4) {
    const [l, yellow, red] = [light[i / 4], p[i / 4] / 3, q[i / 4] / 2];
    rgba.set([(l + yellow + red) * 255, (l + yellow - red) * 255, (l - 2 * yellow) * 255, a[i / 4] * 255], i);
  }
  return { width, height, rgba };
}

/** Draws one on a canvas, which takes its size. @param {HTMLCanvasElement} canvas @param {string} base64 */
export function drawThumbHash(canvas, base64) {
  const { width, height, rgba } = decodeThumbHash(base64) ?? {};
  if (!width || !height || !rgba) return;
  Object.assign(canvas, { width, height }).getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
}
