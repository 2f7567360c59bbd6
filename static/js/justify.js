/** A justified layout: rows that fill the width exactly, in which every picture keeps its shape. */

const GAP = 6;

/** Panoramas and narrow strips are cropped: they would be too small to see. @param {{ readonly width: number, readonly height: number }} size */
const ratioOf = ({ width, height }) => Math.min(3.2, Math.max(0.5, width / height));

/** @typedef {import('./types').Row} Row */

export class Layout {
  /** @type {readonly import('./types').Size[]} */
  items = [];
  /** @type {Row[]} */
  rows = [];

  /** @param {number} width in whole pixels */
  constructor(width) {
    this.width = width;
    this.target = Math.min(260, 120 + width / 12);
  }

  get height() {
    const last = this.rows.at(-1);
    return last ? last.top + last.height : 0;
  }

  /**
   * Lays out a list; rows before the first change stay as they are. A last row that is not full is left out until the list
   * is complete, so that what comes next moves nothing.
   * @param {Layout['items']} items
   * @param {boolean} complete
   */
  update(items, complete) {
    const { rows, target } = this;
    let same = 0;
    while (same < items.length && items[same] === this.items[same]) same++;
    this.items = items;
    // The picture after a row decided where it ends.
    while (rows.length && rows[rows.length - 1].to >= same) rows.pop();
    let from = rows.at(-1)?.to ?? 0;
    let sum = 0;
    /** How high a row is whose pictures' ratios add up to this. @param {number} ratios @param {number} to */
    const scaleOf = (ratios, to) => (this.width - (to - from - 1) * GAP) / ratios;
    /** @param {number} to @param {number} scale */
    const close = (to, scale) => {
      rows.push({ from, to, top: this.height + (from && GAP), height: Math.round(scale), scale });
      from = to;
      sum = 0;
    };
    for (let i = from; i < items.length; i++) {
      const ratio = ratioOf(items[i]);
      const scale = scaleOf(sum, i);
      // Ends the row here when that is nearer to the height aimed at than with one picture more.
      if (sum && scale * scaleOf(sum + ratio, i + 1) <= target ** 2) close(i, scale);
      sum += ratio;
    }
    const scale = scaleOf(sum, items.length);
    if (sum && (complete || scale <= target)) close(items.length, Math.min(scale, target));
  }

  /** The last row that begins at or before a place (`top`) or picture (`from`). @param {'top' | 'from'} key @param {number} value */
  rowAt(key, value) {
    let low = 0;
    for (let high = this.rows.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle][key] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the pictures of a row are, in whole pixels. @param {Row} row */
  boxes({ from, to, scale }) {
    let x = 0;
    return this.items.slice(from, to).map((item) => {
      const left = Math.round(x);
      x += ratioOf(item) * scale + GAP;
      return { left, width: Math.round(x - GAP) - left };
    });
  }

  /** Where a key leads from a picture, in a window so high. @param {number} index @param {string} key @param {number} view */
  step(index, key, view) {
    const { rows } = this;
    const last = rows.length - 1;
    const end = rows[last].to - 1;
    const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: end }[key];
    if (to !== undefined) return Math.min(Math.max(to, 0), end);
    const page = Math.max(1, Math.floor(view / this.target) - 1);
    const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page }[key];
    if (!by) return undefined;
    const at = this.rowAt('from', index);
    const row = rows[Math.min(Math.max(at + by, 0), last)];
    const [here, ...there] = [...this.boxes(rows[at]).slice(index - rows[at].from, index - rows[at].from + 1), ...this.boxes(row)]
      .map(({ left, width }) => left + width / 2);
    const far = there.map((middle) => Math.abs(middle - here));
    return row.from + far.indexOf(Math.min(...far));
  }
}
