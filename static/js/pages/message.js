/** A page that only says something: that there is nothing here, that it is gone, that something failed. */

import { requestLine } from '../components/notice.js';
import { onAction } from '../dom.js';
import { html, render } from '../html.js';
import { t } from '../i18n.js';
import { Problem, explain } from '../problem.js';

/**
 * @param {{ code: string, title: string, text: string, error?: unknown, retry?: () => void }} message
 * @returns {import('../types').Page}
 */
export function messagePage({ code, title, text, error, retry }) {
  return (root, context, _, signal) => {
    context.title(title);
    render(root, html`<section class="message">
      <p class="message-code" aria-hidden="true">${code}</p>
      <h1>${title}</h1>
      <p>${text}</p>
      ${requestLine(error)}
      <div class="message-actions">
        ${retry && html`<button type="button" class="button primary" data-action="retry">${t('common.retry')}</button>`}
        <a class="button" href="/">${t('message.home')}</a>
      </div>
    </section>`);
    onAction(root, { retry: () => retry?.() }, signal);
  };
}

/**
 * The page for a call that failed, without which there is nothing to show.
 * @param {unknown} error
 * @param {() => void} retry
 */
export function problemPage(error, retry) {
  const status = error instanceof Problem ? error.status : 0;
  if (status === 404 || status === 410) {
    return messagePage({ code: String(status), title: t(`message.${status}_title`), text: t(`message.${status}_text`), error });
  }
  return messagePage({
    code: String(status || '…'), title: t(status ? 'message.500_title' : 'message.offline_title'), text: explain(error), error, retry,
  });
}
