/** Copying, also where the Clipboard API is missing: browsers keep it from pages by http, such as a host on a LAN. */

/**
 * Copies a text.
 * @param {string} text
 * @param {object} [how] what to copy with; the browser's own unless given
 * @param {{ clipboard?: Pick<Clipboard, 'writeText'> }} [how.navigator]
 * @param {(text: string) => boolean} [how.copyBySelection]
 * @returns {Promise<boolean>} whether it is on the clipboard now
 */
export async function copyText(text, how = {}) {
  const { navigator = globalThis.navigator, copyBySelection = copySelection } = how;
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused, such as in a page that lost the focus: the old way may still be allowed.
    }
  }
  return copyBySelection(text);
}

/**
 * Copies by selecting the text in a field for a moment. It goes into an open dialog, as nothing outside of one can be
 * selected.
 * @param {string} text
 * @returns {boolean}
 */
function copySelection(text) {
  const focused = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true;
  field.className = 'off-screen';
  field.setAttribute('aria-hidden', 'true');
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    field.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  }
}
