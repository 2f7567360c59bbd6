import { html } from '../html.js';

/**
 * Draws an icon of the sprite in the colour of the text around it. It says nothing to screen readers: the text does.
 * @param {'upload' | 'link' | 'markdown' | 'trash' | 'check' | 'alert' | 'clock' | 'picture'} name
 * @returns {import('../html.js').Markup}
 */
export function icon(name) {
  return html`<svg class="icon" aria-hidden="true" width="18" height="18">
    <use href="/icons/icons.svg#${name}"></use></svg>`;
}
