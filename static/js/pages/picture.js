/** A picture's page: the picture, what there is to know about it, and what can be done with it. */

import { copyAction, copyDialog, lastKind } from '../components/copy.js';
import { errorNotice } from '../components/notice.js';
import { mountViewer } from '../components/viewer.js';
import { confirmDialog, on, onAction } from '../dom.js';
import { formatDimensions, formatSize, formatTime } from '../format.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { localAddress, nameOf } from '../links.js';
import { SNIPPETS } from '../snippets.js';
import { parts, stencil } from '../stencil.js';
import { problemPage } from './message.js';

/** @type {import('../types').Page} */
export const page = (root, context, { id }, signal) => {
  const { api, lists, router, session, toast } = context;
  const known = lists.current?.state.items.find((one) => one.id === id);
  const list = known ? lists.current : null;
  let image = /** @type {any} */ ({ id });
  let [tag, own, work] = ['', false, Promise.resolve()];
  const isOwn = () => session.state.account?.name === image.account_name;
  const soon = (/** @type {() => Promise<unknown>} */ job) => {
    work = work.then(async () => void await job());
  };

  root.append(stencil('picture'));
  const [name, text, form, state, kind, file, share, trash, who, ...facts] = parts(root,
    'h1, p, form, form [role], [data-action=copy] span:last-child, .picture-actions a, [data-action=share], [data-action=trash], dd a, dd:not(:has(a))');
  const show = mountViewer(root, context, list, signal, (to) => {
    router.go(`/p/${to.id}`, { replace: true, quiet: true });
    tag = '';
    tell(to);
  });
  share.hidden = !('share' in navigator);

  /** @param {import('../types').Image} now */
  const tell = (now) => {
    const before = image;
    image = now;
    // What one has begun to write stays, unless it was about another picture.
    for (const field of form.elements) {
      if (now.id !== before.id || field.value === (before[field.name] ?? field.value)) field.value = image[field.name];
    }
    own = isOwn();
    context.title(name.textContent = nameOf(image));
    name.className = own ? 'sr-only' : '';
    [form.hidden, trash.hidden, text.hidden] = [!own, !own, own];
    text.textContent = image.description;
    state.textContent = '';
    [form[0].placeholder, file.download] = [image.filename, image.filename];
    file.href = localAddress(image.url, api.base);
    kind.textContent = t(`copy.${lastKind()}`);
    who.href = `/u/${who.textContent = image.account_name}`;
    [formatTime(image.created_at), formatDimensions(image.width, image.height), formatSize(image.size), image.media_type.slice(6).toUpperCase(),
      image.filename].forEach((fact, i) => { facts[i].textContent = fact; });
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
      if (now.updated_at === asked.updated_at) return void (image = now);
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
    const body = Object.fromEntries([...new FormData(form)].filter(([field, value]) => value !== image[field]));
    if (!Object.keys(body).length) return;
    state.textContent = t('picture.saving');
    try {
      const response = await api.send('updateImage', { path: { id: image.id }, headers: { 'If-Match': tag }, body });
      [image, tag] = [await response.json(), response.headers.get('ETag') ?? ''];
      lists.replace([image]);
      state.textContent = t('picture.saved');
      context.title(name.textContent = nameOf(image));
    } catch (error) {
      const again = Object(error).status === 412 ? 'reload' : 'save';
      render(state, html`${errorNotice(error)}<button type="button" class="button small" data-action="${again}">${t(`picture.${again}`)}</button>`);
    }
  });

  const back = () => (list ? history.back() : router.go('/'));
  onAction(root, {
    save, back,
    copy: (button) => {
      button.dataset.copy = SNIPPETS[lastKind()](image);
      void copyAction(toast)(button);
    },
    more: async () => {
      await copyDialog(image, toast, signal);
      kind.textContent = t(`copy.${lastKind()}`);
    },
    share: () => void navigator.share({ title: nameOf(image), url: image.page_url }).catch(() => {}),
    reload: () => {
      for (const field of form.elements) field.value = image[field.name];
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
  on(form, 'change', save);
  on(form, 'submit', (event) => {
    event.preventDefault();
    save();
  });
  on(form, 'keydown', (event) => {
    const { key, target } = event;
    if (key === 'Escape') target.value = image[target.name];
    if (key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    save();
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
