/** A picture's page: the picture, what there is to know about it, and what can be done with it. */

import { copyAction, copyButton, copyDialog, lastKind } from '../components/copy.js';
import { errorNotice } from '../components/notice.js';
import { mountViewer } from '../components/viewer.js';
import { confirmDialog, find, icon, onAction } from '../dom.js';
import { formatDimensions, formatSize, formatTime } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { localAddress, nameOf } from '../links.js';
import { SNIPPETS } from '../snippets.js';
import { problemPage } from './message.js';

const button = (/** @type {string} */ name) =>
  html`<button type="button" class="button small" data-action="${name}">${icon(name)}${t(`picture.${name}`)}</button>`;

/** @type {import('../types').Page} */
export const page = (root, context, { id }, signal) => {
  const { api, lists, router, session, toast } = context;
  const known = lists.current?.state.items.find((one) => one.id === id);
  const list = known ? lists.current : null;
  let image = /** @type {import('../types').Image} */ ({ id });
  let [tag, own, work] = ['', false, Promise.resolve()];
  const isOwn = () => session.state.account?.name === image.account_name;

  render(root, html`<article class="picture">${button('back')}<div class="picture-frame"></div><div class="picture-info"></div></article>`);
  const info = find(root, '.picture-info');
  const show = mountViewer(find(root, '.picture-frame'), context, list, signal, (to) => {
    router.go(`/p/${to.id}`, { replace: true, quiet: true });
    tag = '';
    tell(to);
  });
  const soon = (/** @type {() => Promise<unknown>} */ job) => {
    work = work.then(async () => void await job());
  };

  /** @param {import('../types').Image} now */
  const tell = (now) => {
    image = now;
    own = isOwn();
    const { title, description, filename, account_name: who } = image;
    context.title(nameOf(image));
    render(info, html`<h1 class="${own ? 'sr-only' : ''}">${nameOf(image)}</h1>
      ${own ? html`<form><input name="title" maxlength="200" value="${title}" placeholder="${filename}" aria-label="${t('picture.title')}">
        <textarea name="description" maxlength="4000" rows="1" placeholder="${t('picture.describe')}" aria-label="${t('picture.description')}">${description}</textarea>
        <select class="input select" name="visibility" aria-label="${t('picture.visibility')}">${['public', 'unlisted', 'private'].map((one) =>
          html`<option value="${one}" ${one === image.visibility && html`selected`}>${t(`picture.${one}`)}</option>`)}</select>
        <div role="status"></div></form>` : html`<p>${description}</p>`}
      <div class="picture-actions"><span>${copyButton(image, lastKind())}</span>${button('more')}
        <a class="button small" href="${localAddress(image.url, api.base)}" download="${filename}">${icon('download')}${t('picture.download')}</a>
        ${'share' in navigator && button('share')}${own && button('trash')}</div>
      <dl>${Object.entries({
        who: html`<a href="/u/${who}">${who}</a>`, when: formatTime(image.created_at), dimensions: formatDimensions(image.width, image.height),
        size: formatSize(image.size), type: image.media_type.slice(6).toUpperCase(), file: filename,
      }).map(([key, value]) => html`<div><dt>${t(`picture.${key}`)}</dt><dd>${value}</dd></div>`)}</dl>`);
    // What a list says may be old, and whoever changes it needs its version.
    if (!tag && (own || list)) soon(load);
  };

  /** Gets the picture as it is now. */
  const load = async () => {
    const asked = image;
    try {
      const response = await api.send('getImage', { path: { id: asked.id }, signal });
      const now = await response.json();
      if (asked !== image) return;
      tag = response.headers.get('ETag') ?? '';
      image = now;
      if (now.updated_at === asked.updated_at) return;
      tell(now);
      void show(now);
    } catch (error) {
      const { status } = Object(error);
      if (signal.aborted || asked !== image) return;
      if (image.url && status !== 404 && status !== 410) return toast(error);
      lists.remove(new Set([image.id]));
      problemPage(error, () => router.refresh())(root, context, {}, signal);
    }
  };

  /** Saves what was changed, after what is being saved already. */
  const save = () => soon(async () => {
    const form = info.querySelector('form') ?? undefined;
    const body = Object.fromEntries([...new FormData(form)].filter(([name, value]) => value !== image[/** @type {'title'} */ (name)]));
    if (!Object.keys(body).length) return;
    const state = find(info, '[role=status]');
    state.textContent = t('picture.saving');
    try {
      const response = await api.send('updateImage', { path: { id: image.id }, headers: { 'If-Match': tag }, body });
      [image, tag] = [await response.json(), response.headers.get('ETag') ?? ''];
      lists.replace([image]);
      state.textContent = t('picture.saved');
      context.title(find(info, 'h1').textContent = nameOf(image));
    } catch (error) {
      render(state, html`${errorNotice(error)}${button(Object(error).status === 412 ? 'reload' : 'save')}`);
    }
  });

  const back = () => (list ? history.back() : router.go('/'));
  onAction(root, {
    save, back,
    copy: (copy) => {
      copy.dataset.copy = SNIPPETS[lastKind()](image);
      void copyAction(toast)(copy);
    },
    more: async () => {
      await copyDialog(image, toast, signal);
      render(find(info, 'span'), copyButton(image, lastKind()));
    },
    share: () => void navigator.share({ title: nameOf(image), url: image.page_url }).catch(() => {}),
    reload: () => {
      image = { ...image, updated_at: '' };
      soon(load);
    },
    trash: async () => {
      if (!await confirmDialog({ title: t('picture.delete_title'), text: t('picture.delete_text'), action: t('picture.trash') })) return;
      await api.call('deleteImage', { path: { id: image.id } });
      lists.remove(new Set([image.id]));
      toast(t('picture.deleted'));
      back();
    },
  }, signal);
  info.addEventListener('change', save);
  info.addEventListener('submit', (event) => {
    event.preventDefault();
    save();
  });
  info.addEventListener('keydown', (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (!field.name || event.isComposing) return;
    if (event.key === 'Escape') field.value = image[/** @type {'title'} */ (field.name)];
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    field.form?.requestSubmit();
  });

  const block = document.getElementById('kadr-data');
  const given = JSON.parse(block?.textContent || '{}').image;
  block?.remove();
  const first = given?.id === id ? given : known;
  if (first) {
    tell(first);
    void show(first);
  } else soon(load);
  session.watch(() => image.url && own !== isOwn() && tell(image), signal);
};
