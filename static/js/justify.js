/** A justified layout: rows that fill the width exactly, in which every picture keeps its shape. */

const GAP = 6;

/** Panoramas and strips are cropped: they would be too small to see. @param {import('./types').Size} size */
const ratioOf = ({ width, height }) => Math.min(3.2, Math.max(0.5, width / height));

export class Layout {
  /** @type {readonly import('./types').Size[]} */
  items = [];
  /** @type {import('./types').Row[]} */
  rows = [];
  height = 0;

  /** @param {number} width in whole pixels */
  constructor(width) {
    this.width = width;
    this.target = Math.min(260, 120 + width / 12);
  }

  /**
   * Lays out a list; rows before the first change stay. A last row that is not full is left out until the list is complete,
   * so that what comes next moves nothing.
   * @param {Layout['items']} items @param {boolean} complete
   */
  update(items, complete) {
    const { rows, target, width } = this;
    const changed = items.findIndex((item, i) => item !== this.items[i]);
    const same = changed < 0 ? items.length : changed;
    this.items = items;
    // The picture after a row decided where it ends.
    while (rows.length && rows[rows.length - 1].to >= same) rows.pop();
    const last = rows.at(-1);
    let from = last?.to ?? 0;
    let top = last ? last.top + last.height + GAP : 0;
    let sum = 0;
    for (let i = from; i <= items.length; i++) {
      const ratio = i < items.length ? ratioOf(items[i]) : 0;
      let scale = (width - (i - from - 1) * GAP) / sum;
      // A row ends where that is nearer to the height aimed at than with one picture more.
      if (sum && (ratio ? scale * (width - (i - from) * GAP) / (sum + ratio) <= target ** 2 : complete || scale <= target)) {
        if (!ratio) scale = Math.min(scale, target);
        rows.push({ from, to: i, top, height: Math.round(scale), scale });
        top += Math.round(scale) + GAP;
        from = i;
        sum = 0;
      }
      sum += ratio;
    }
    this.height = Math.max(0, top - GAP);
  }

  /** The last row from a place (`top`) or picture (`from`) on. @param {'top' | 'from'} key @param {number} value */
  rowAt(key, value) {
    let low = 0;
    for (let high = this.rows.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle][key] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the pictures of a row are, in whole pixels. @param {import('./types').Row} row */
  boxes({ from, to, top, height, scale }) {
    let x = 0;
    return this.items.slice(from, to).map((item, i) => {
      const left = Math.round(x);
      x += ratioOf(item) * scale + GAP;
      return { index: from + i, left, top, width: Math.round(x - GAP) - left, height };
    });
  }

  /** Where a key leads from a picture, in a window so high. @param {number} index @param {string} key @param {number} view */
  step(index, key, view) {
    const { rows } = this;
    const end = rows[rows.length - 1].to - 1;
    const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: end }[key];
    if (to !== undefined) return Math.min(Math.max(to, 0), end);
    const page = Math.ceil(view / this.target / 2);
    const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page }[key];
    if (!by) return undefined;
    const at = this.rowAt('from', index);
    const { left, width } = this.boxes(rows[at])[index - rows[at].from];
    const far = (/** @type {{ left: number, width: number }} */ box) => Math.abs(box.left - left + (box.width - width) / 2);
    return this.boxes(rows[Math.min(Math.max(at + by, 0), rows.length - 1)]).sort((a, b) => far(a) - far(b))[0].index;
  }
}
