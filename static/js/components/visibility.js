/** Who may see a picture, in words. */

import { html } from '../html.js';

/** @typedef {import('../app.js').Visibility} Visibility */

/** @type {Readonly<Record<Visibility, { short: string, long: string }>>} */
const WORDS = Object.freeze({
  public: { short: 'Public', long: 'Everybody, in the public feed' },
  unlisted: { short: 'Unlisted', long: 'Whoever has the link' },
  private: { short: 'Private', long: 'Only me' },
});

/**
 * Names a visibility in one word.
 * @param {Visibility} visibility
 * @returns {string}
 */
export function visibilityWord(visibility) {
  return WORDS[visibility]?.short ?? visibility;
}

/**
 * A list to choose a visibility from.
 * @param {{ id: string, label: string, chosen: Visibility }} init
 * @returns {import('../html.js').Markup}
 */
export function visibilitySelect({ id, label, chosen }) {
  return html`<label class="inline-field" for="${id}"><span>${label}</span>
    <select class="input select" id="${id}">${Object.entries(WORDS).map(([value, { long }]) =>
      html`<option value="${value}" ${value === chosen && html`selected`}>${long}</option>`)}</select></label>`;
}
