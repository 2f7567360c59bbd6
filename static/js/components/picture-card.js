/** One picture in a grid. */

import { find } from '../dom.js';
import { formatDimensions, formatSize } from '../format.js';
import { element, html } from '../html.js';
import { localAddress, nameOf } from '../snippets.js';
import { drawThumbHash } from '../thumbhash.js';
import { copyLinkButton, copyMarkdownButton } from './copy.js';
import { icon } from './icon.js';
import { visibilityWord } from './visibility.js';

/** @typedef {import('../html.js').Markup} Markup */
/** @typedef {import('../store.js').Image} Image */

/**
 * A picture of the feed: what it is and whose.
 * @param {Image} image
 * @param {string} base where the API is
 * @returns {HTMLElement}
 */
export function feedCard(image, base) {
  return makeCard(image, base, html`<p class="card-facts">${image.account_name}</p>`);
}

/**
 * A picture of one's own: with its size, who may see it, and what can be done with it.
 * @param {Image} image
 * @param {string} base where the API is
 * @returns {HTMLElement}
 */
export function ownCard(image, base) {
  return makeCard(image, base, html`
    <p class="card-facts">${formatDimensions(image.width, image.height)} · ${formatSize(image.size)} ·
      ${visibilityWord(image.visibility)}</p>
    <div class="card-actions">
      ${copyLinkButton(image)}${copyMarkdownButton(image)}
      <button type="button" class="button small icon-only quiet" data-action="delete" data-id="${image.id}"
        aria-label="Delete ${nameOf(image)}" title="Delete">${icon('trash')}</button>
    </div>`);
}

/**
 * Lets the pictures in an element take the place of their placeholders when they have come, and say so when they
 * cannot. `load` and `error` do not bubble, but they can be caught on the way down.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function watchPictures(root, signal) {
  for (const type of ['load', 'error']) {
    root.addEventListener(type, ({ target }) => {
      if (!(target instanceof HTMLImageElement)) return;
      target.closest('.frame')?.classList.add(type === 'load' ? 'loaded' : 'broken');
    }, { capture: true, signal });
  }
}

/**
 * @param {Image} image
 * @param {string} base
 * @param {Markup} below
 * @returns {HTMLElement}
 */
function makeCard(image, base, below) {
  const name = nameOf(image);
  const card = element(html`<li class="card">
    <a class="frame" href="/p/${image.id}">
      <canvas aria-hidden="true"></canvas>
      <img src="${localAddress(image.thumbnail_url, base)}" alt="${image.description || name}" loading="lazy"
        decoding="async" width="320" height="${Math.max(1, Math.round(320 * image.height / image.width))}">
    </a>
    <div class="card-text">
      <p class="card-name" title="${name}">${name}</p>
      ${below}
    </div>
  </li>`);
  drawThumbHash(/** @type {HTMLCanvasElement} */ (find(card, 'canvas')), image.placeholder);
  return card;
}
