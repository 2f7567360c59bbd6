/** A page that only says something: that there is nothing here, that it is gone, that something failed. */

import { requestLine } from '../components/notice.js';
import { onAction } from '../dom.js';
import { html, render } from '../html.js';
import { hasText, t } from '../i18n.js';
import { Problem, explain } from '../problem.js';

/**
 * @param {'404' | '410' | '500' | 'offline' | 'load'} kind
 * @param {{ error?: unknown, retry?: () => void }} [options] why, where the kind does not say it; what to do about it
 * @returns {import('../types').Page}
 */
export const messagePage = (kind, { error, retry } = {}) => (root, context, _, signal) => {
  const title = t(`message.${kind}_title`);
  context.title(title);
  render(root, html`<section class="message">
    ${Number(kind) > 0 && html`<p class="message-code" aria-hidden="true">${kind}</p>`}
    <h1>${title}</h1>
    <p>${hasText(`message.${kind}_text`) ? t(`message.${kind}_text`) : explain(error)}</p>
    ${requestLine(error)}
    <div class="message-actions">
      ${retry && html`<button type="button" class="button primary" data-action="retry">${t('common.retry')}</button>`}
      <a class="button" href="/">${t('message.home')}</a>
    </div>
  </section>`);
  onAction(root, { retry: () => retry?.() }, signal);
};

/**
 * The page for a call that failed, without which there is nothing to show.
 * @param {unknown} error
 * @param {() => void} retry
 */
export function problemPage(error, retry) {
  const status = error instanceof Problem ? error.status : 500;
  if (status === 404 || status === 410) return messagePage(`${status}`);
  return messagePage(status ? '500' : 'offline', { error, retry });
}
