/** ThumbHash placeholders, after https://evanw.github.io/thumbhash/: a mean colour and the low frequencies of a cosine transform. */

/** Decodes one to at most 32×32 pixels of RGBA; null when it is none. @param {string} base64 */
export function decodeThumbHash(base64) {
  let text = '';
  try {
    text = atob(base64);
  } catch {
    // A placeholder is never worth an error.
  }
  let at = 0;
  /** Reads on, lowest bit first. @param {number} count */
  const bits = (count) => {
    let value = 0;
    for (let i = 0; i < count; i++, at++) value |= ((text.charCodeAt(at >> 3) >> (at & 7)) & 1) << i;
    return value;
  };
  const [l, p, q, lScale, alpha, short, pScale, qScale, wide] = [6, 6, 6, 5, 1, 3, 6, 6, 1].map(bits);
  const [a = 0, aScale = 0] = alpha ? [bits(4), bits(4)] : [];
  if (!short || text.length * 8 < at) return null;
  const long = alpha ? 5 : 7;
  const [nx, ny] = wide ? [long, short] : [short, long];
  const [width, height] = [nx / ny, ny / nx].map((ratio) => Math.round(32 * Math.min(1, ratio)));
  const wave = (/** @type {number} */ n, /** @type {number} */ length) =>
    Array.from({ length }, (_, i) => Math.cos((Math.PI / length) * (i + 0.5) * n));
  // The encoder narrows the colours' range by 1.25. P is red and green less blue, Q red less green.
  const [light, yellow, red, opacity] = [[Math.max(3, nx), Math.max(3, ny), l / 63, lScale / 31],
    [3, 3, p / 31.5 - 1, pScale / 50.4], [3, 3, q / 31.5 - 1, qScale / 50.4], [5, 5, a / 15, aScale / 15]].slice(0, 3 + alpha).map(([w, h, mean, scale]) => {
    const values = new Float64Array(width * height).fill(mean);
    for (let y = 0; y < h; y++) {
      for (let x = y ? 0 : 1; x * h < w * (h - y); x++) {
        // What was cut off is the middle of the range, which adds nothing.
        const factor = at < text.length * 8 ? (bits(4) / 7.5 - 1) * scale * 2 : 0;
        const columns = wave(x, width);
        let i = 0;
        for (const row of wave(y, height)) for (const column of columns) values[i++] += factor * row * column;
      }
    }
    return values;
  });
  const rgba = new Uint8ClampedArray(light.length * 4);
  light.forEach((value, i) => {
    const [y, r] = [yellow[i] / 3, red[i] / 2];
    rgba.set([(value + y + r) * 255, (value + y - r) * 255, (value - 2 * y) * 255, (opacity?.[i] ?? 1) * 255], i * 4);
  });
  return { width, height, rgba };
}

/** Draws one on a canvas, which takes its size. @param {HTMLCanvasElement} canvas @param {string} base64 */
export function drawThumbHash(canvas, base64) {
  const decoded = decodeThumbHash(base64);
  if (!decoded) return;
  const { width, height, rgba } = decoded;
  Object.assign(canvas, { width, height }).getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
}
