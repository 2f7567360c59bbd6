import { element, html } from '../html.js';

/**
 * Asks before something that cannot be undone. Escape and "Cancel" mean no, and "Cancel" has the focus.
 * @param {{ title: string, text: string, action: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, action }) {
  const dialog = /** @type {HTMLDialogElement} */ (element(html`
    <dialog class="dialog" aria-labelledby="confirm-title" aria-describedby="confirm-text">
      <form method="dialog">
        <h2 id="confirm-title">${title}</h2>
        <p id="confirm-text">${text}</p>
        <div class="dialog-actions">
          <button class="button" value="no" autofocus>Cancel</button>
          <button class="button danger" value="yes">${action}</button>
        </div>
      </form>
    </dialog>`));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
