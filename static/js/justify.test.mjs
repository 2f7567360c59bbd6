import assert from 'node:assert/strict';
import test from 'node:test';

import { Layout } from './justify.js';

/** Sizes like a camera's, a phone's and others', the same each time. */
function sizes(count, seed = 1) {
  const shapes = [[4032, 3024], [3024, 4032], [1920, 1080], [1080, 1920], [1000, 1000], [6000, 4000], [3000, 300], [120, 2400], [1, 1]];
  return Array.from({ length: count }, (_, i) => {
    const [width, height] = shapes[(i * 7 + seed * 3 + (i % 5)) % shapes.length];
    return { width, height };
  });
}

const laidOut = (items, width, complete = true) => {
  const layout = new Layout(width);
  layout.update(items, complete);
  return layout;
};
const end = (boxes) => boxes.at(-1).left + boxes.at(-1).width;

test('rows fill the width exactly, with the same gap everywhere', () => {
  for (const width of [288, 342, 741, 1232, 1872]) {
    const layout = laidOut(sizes(500), width);
    let top = 0;
    let index = 0;
    for (const row of layout.rows) {
      const boxes = layout.boxes(row);
      assert.equal(row.top, top);
      boxes.forEach((box, i) => {
        assert.equal(box.index, index++);
        assert.equal(box.left, i && boxes[i - 1].left + boxes[i - 1].width + 6);
        assert.ok(box.width > 20 && Number.isInteger(box.width + box.height));
      });
      if (row !== layout.rows.at(-1)) assert.equal(end(boxes), width);
      top += row.height + 6;
    }
    assert.equal(index, 500);
    assert.equal(layout.height, top - 6);
  }
});

test('rows are about as high as they should be: 150 pixels on a phone, 260 on a wide screen', () => {
  for (const [width, height] of [[360, 150], [1872, 260]]) {
    const { rows } = laidOut(sizes(2000).filter((size) => size.width < 2 * size.height && size.height < 2 * size.width), width);
    const mean = rows.slice(0, -1).reduce((sum, row) => sum + row.height, 0) / (rows.length - 1);
    assert.ok(Math.abs(mean - height) < height * 0.15, `${mean} at ${width}`);
  }
});

test('pictures keep their shape, but for panoramas and strips', () => {
  const items = sizes(300);
  const layout = laidOut(items, 1232);
  for (const { index, width, height } of layout.rows.flatMap((row) => layout.boxes(row))) {
    const ratio = items[index].width / items[index].height;
    const cropped = Math.min(3.2, Math.max(0.5, ratio));
    assert.ok(Math.abs(width / height - cropped) < 0.03, `${width}×${height} for ${ratio}`);
  }
});

test('the last row is not stretched', () => {
  const layout = laidOut(sizes(1), 1232);
  assert.equal(layout.rows[0].height, Math.round(layout.target));
  assert.ok(end(layout.boxes(layout.rows[0])) < 400);
  const panorama = laidOut([{ width: 9000, height: 900 }], 320);
  assert.deepEqual(panorama.boxes(panorama.rows[0]), [{ index: 0, left: 0, top: 0, width: 320, height: 100 }]);
});

test('nothing to lay out', () => {
  const layout = laidOut([], 1232);
  assert.deepEqual([layout.rows, layout.height, layout.rowAt('top', 500)], [[], 0, 0]);
  layout.update(sizes(1), false);
  assert.deepEqual([layout.rows, layout.height], [[], 0], 'more is to come');
});

test('a page that is appended moves nothing, and 25,000 come to the same as at once', () => {
  const all = sizes(25_000);
  const layout = new Layout(1232);
  let before = [];
  let slowest = 0;
  for (let count = 100; count <= all.length; count += 100) {
    const start = performance.now();
    layout.update(all.slice(0, count), count === all.length);
    slowest = Math.max(slowest, performance.now() - start);
    for (let i = Math.max(0, before.length - 3); i < before.length; i++) assert.deepEqual(layout.rows[i], before[i]);
    before = [...layout.rows];
  }
  assert.deepEqual(layout.rows, laidOut(all, 1232).rows);
  console.log(`the slowest page of 250 took ${slowest.toFixed(1)} ms`);
});

test('a change in the middle keeps what is before it, and comes to the same as all anew', () => {
  const all = sizes(1000);
  const layout = laidOut(all, 1232);
  const before = [...layout.rows];
  const fewer = all.filter((_, i) => i < 500 || i > 520);
  layout.update(fewer, true);
  assert.deepEqual(layout.rows, laidOut(fewer, 1232).rows);
  const kept = before.filter(({ to }) => to < 500);
  kept.forEach((row, i) => assert.equal(layout.rows[i], row));
  layout.update(all, true);
  assert.deepEqual(layout.rows, before);
  layout.update(all.slice(0, 3), true);
  assert.deepEqual(layout.rows, laidOut(all.slice(0, 3), 1232).rows);
});

test('rows are found by place and by picture', () => {
  const layout = laidOut(sizes(1000), 741);
  layout.rows.forEach((row, i) => {
    assert.equal(layout.rowAt('top', row.top), i);
    assert.equal(layout.rowAt('top', row.top + row.height), i);
    assert.equal(layout.rowAt('from', row.to - 1), i);
  });
  assert.equal(layout.rowAt('top', -50), 0);
  assert.equal(layout.rowAt('top', 1e9), layout.rows.length - 1);
});

test('keys lead in two dimensions', () => {
  const layout = laidOut(Array.from({ length: 95 }, () => ({ width: 100, height: 100 })), 1232);
  const across = layout.rows[0].to;
  const step = (index, key) => layout.step(index, key, 900);
  assert.deepEqual([step(0, 'ArrowRight'), step(0, 'ArrowLeft'), step(94, 'ArrowRight')], [1, 0, 94]);
  assert.deepEqual([step(2, 'ArrowDown'), step(2 + across, 'ArrowUp'), step(2, 'ArrowUp')], [2 + across, 2, 2]);
  assert.deepEqual([step(50, 'Home'), step(50, 'End'), step(94, 'ArrowDown')], [0, 94, 94]);
  assert.equal((step(3, 'PageDown') - 3) % across, 0);
  assert.ok(step(3, 'PageDown') > 3 + across);
  assert.equal(step(step(3, 'PageDown'), 'PageUp'), 3);
  assert.equal(step(3, 'a'), undefined);
  // Below a wide one is the one under its middle.
  const mixed = laidOut([{ width: 300, height: 100 }, ...Array.from({ length: 40 }, () => ({ width: 50, height: 100 }))], 700);
  const under = mixed.boxes(mixed.rows[1])[mixed.step(0, 'ArrowDown', 900) - mixed.rows[1].from];
  const wide = mixed.boxes(mixed.rows[0])[0];
  assert.ok(Math.abs(under.left + under.width / 2 - wide.width / 2) <= under.width);
});
