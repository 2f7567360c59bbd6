/** A picture's own page. */

import { find, onAction } from '../dom.js';
import { formatDimensions, formatSize, formatTime } from '../format.js';
import { html, render } from '../html.js';
import { Problem, explain } from '../problem.js';
import { linkOf, localAddress, nameOf, sourcesOf } from '../snippets.js';
import { drawThumbHash } from '../thumbhash.js';
import { copyAction, copyLinkButton, copyMarkdownButton } from './copy.js';
import { deletePicture } from './delete.js';
import { icon } from './icon.js';
import { messageView } from './notice.js';
import { watchPictures } from './picture-card.js';
import { visibilitySelect } from './visibility.js';

/** @typedef {import('../app.js').Context} Context */
/** @typedef {import('../app.js').Visibility} Visibility */
/** @typedef {import('../store.js').Image} Image */

/**
 * Shows the picture of the address, or says honestly why not.
 * @type {import('../app.js').View}
 */
export function pictureView(root, context, { id }, signal) {
  document.title = 'Kadr';
  render(root, html`<p class="loading" role="status">Loading…</p>`);
  context.api.getImage(id, { signal }).then(
    (image) => {
      if (!signal.aborted) mountPicture(root, context, image, signal);
    },
    (error) => {
      if (!signal.aborted) messageView(root, { ...failureText(error), error });
    },
  );
}

/**
 * @param {unknown} error
 * @returns {{ title: string, text: string }}
 */
function failureText(error) {
  const status = error instanceof Problem ? error.status : 0;
  // An id of the wrong form is a 400 of the contract, and no picture for whoever looks.
  if (status === 404 || status === 400) {
    const text = 'The link may be mistyped, or the picture is private and somebody else’s.';
    return { title: 'No picture here', text };
  }
  if (status === 410) {
    return { title: 'This picture was deleted', text: 'Its owner took it away. The link will not work again.' };
  }
  return { title: 'The picture cannot be shown', text: explain(error) };
}

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {Image} image
 * @param {AbortSignal} signal
 */
function mountPicture(root, context, image, signal) {
  const { api, session } = context;
  const name = nameOf(image);
  document.title = `${name} · Kadr`;
  const original = localAddress(image.url, api.base);
  render(root, html`
    <article class="picture">
      <a class="frame picture-frame" href="${original}" target="_blank" rel="noopener">
        <canvas aria-hidden="true"></canvas>
        <picture>
          ${sourcesOf(image, api.base).map(({ type, srcset }) => html`
            <source type="${type}" srcset="${srcset}" sizes="(min-width: 72rem) 70rem, 100vw">`)}
          <img src="${localAddress(linkOf(image), api.base)}" alt="${image.description || name}" width="${image.width}" height="${image.height}">
        </picture>
        <span class="sr-only">(the original, in a new tab)</span>
      </a>
      <div class="picture-head">
        <h1>${name}</h1>
        <div class="card-actions">
          ${copyLinkButton(image)}${copyMarkdownButton(image)}
          <button type="button" class="button small" data-action="copy" data-copy="${image.page_url}">
            ${icon('picture')}<span>Copy page</span></button>
        </div>
      </div>
      ${image.description !== '' && html`<p class="picture-description">${image.description}</p>`}
      <dl class="facts">
        <div><dt>By</dt><dd>${image.account_name}</dd></div>
        <div><dt>Added</dt><dd><time datetime="${image.created_at}">${formatTime(image.created_at)}</time></dd></div>
        <div><dt>Dimensions</dt><dd>${formatDimensions(image.width, image.height)}</dd></div>
        <div><dt>Size</dt><dd>${formatSize(image.size)}</dd></div>
        <div><dt>Type</dt><dd>${image.media_type.replace('image/', '').toUpperCase()}</dd></div>
        ${image.title !== '' && html`<div><dt>File</dt><dd>${image.filename}</dd></div>`}
      </dl>
      <div class="owner" hidden></div>
    </article>`);
  fitFrame(root, image);
  watchPictures(root, signal);
  const owner = find(root, '.owner');
  session.watch(({ account }) => {
    const own = account?.name === image.account_name;
    if (own !== owner.hidden) return;
    owner.hidden = !own;
    if (own) mountOwner(owner, context, image, signal);
  }, signal);
  onAction(root, {
    copy: copyAction(context.toast),
    delete: async () => {
      if (await deletePicture(image, context)) context.router.navigate('/');
    },
  }, signal);
}

/**
 * Gives the frame the picture's shape before it has come, no larger than the picture and the window.
 * @param {HTMLElement} root
 * @param {Image} image
 */
function fitFrame(root, image) {
  const frame = find(root, '.picture-frame');
  frame.style.aspectRatio = `${image.width} / ${image.height}`;
  frame.style.width = `min(100%, ${image.width}px, calc(80vh * ${image.width / image.height}))`;
  drawThumbHash(/** @type {HTMLCanvasElement} */ (find(root, 'canvas')), image.placeholder);
  // A smaller size that cannot be made is no reason to show nothing: the original still can.
  const picture = /** @type {HTMLImageElement} */ (find(root, 'img'));
  picture.addEventListener('error', (event) => {
    const sources = frame.querySelectorAll('source');
    if (sources.length === 0) return;
    event.stopImmediatePropagation();
    for (const source of sources) source.remove();
    frame.classList.remove('broken');
  });
}

/**
 * What only the owner can do: choose who sees it, and delete it.
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {Image} image
 * @param {AbortSignal} signal
 */
function mountOwner(root, { api, mine, feed, toast }, image, signal) {
  render(root, html`${visibilitySelect({ id: 'visibility', label: 'Who may see it', chosen: image.visibility })}
    <button type="button" class="button small quiet" data-action="delete">
      ${icon('trash')}<span>Delete</span></button>`);
  const select = /** @type {HTMLSelectElement} */ (find(root, 'select'));
  let chosen = image.visibility;
  select.addEventListener('change', async () => {
    select.disabled = true;
    try {
      const changed = await api.updateImage(image.id, { visibility: /** @type {Visibility} */ (select.value) });
      chosen = changed.visibility;
      mine.replace(changed);
      feed.reset();
      toast.show('Saved');
    } catch (error) {
      select.value = chosen;
      toast.show(explain(error));
    } finally {
      select.disabled = false;
      select.focus();
    }
  }, { signal });
}
