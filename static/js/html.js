/**
 * The only door for markup into the page. The `html` tag escapes every value by where it stands, and refuses the places
 * where that would not help. The page's one Trusted Types policy is not exported, so nothing else can make HTML of text.
 */

/** @import { Markup as Made } from './types' */

const ESCAPES = /** @type {Record<string, string>} */ ({
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;',
});

/** Markup whose values are escaped. It is not exported, so only the `html` tag makes any. */
class Markup {
  /** @param {string} text */
  constructor(text) {
    this.toString = () => text;
  }
}

/** Escapes a text for element content and quoted attributes. @param {unknown} value */
export const escapeHTML = (value) => String(value).replace(/[&<>"'`]/g, (character) => ESCAPES[character]);

/** Whether an address is relative, http, https or blob; browsers skip control characters. @param {string} address */
export function isSafeURL(address) {
  // eslint-disable-next-line no-control-regex
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address.replace(/[\u0000-\u0020\u007f]/g, ''));
  return !scheme || /^(https?|blob)$/i.test(scheme[1]);
}

/**
 * Makes markup of a template. Texts are escaped; markup and arrays of it go in as they are; null, undefined and booleans
 * leave nothing, so that `${busy && html`disabled`}` works. Throws where a value stands in a place that is not safe.
 * @param {TemplateStringsArray} strings
 * @param {...unknown} values
 */
export function html(strings, ...values) {
  const places = placesOf(strings);
  return new Markup(strings.reduce((text, string, i) =>
    text + [values[i - 1]].flat().map((one) => write(one, places[i - 1])).join('') + string));
}

/** Makes nodes of markup, ready to be put anywhere. @param {Made} markup */
export function fragment(markup) {
  if (!(markup instanceof Markup)) throw new TypeError('not markup of the html tag');
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(`${markup}`);
  return template.content;
}

/** Makes the one element that is at the top of some markup. @param {Made} markup */
export const element = (markup) => /** @type {HTMLElement} */ (fragment(markup).firstElementChild);

/** Replaces what is in an element. @param {Element} target @param {Made} markup */
export const render = (target, markup) => target.replaceChildren(fragment(markup));

/** Only the newest TypeScript knows Trusted Types. Browsers without them get the same text. @type {any} */
const { trustedTypes = { createPolicy: (/** @type {any[]} */ ...rules) => rules[1] } } = /** @type {any} */ (globalThis);
const policy = trustedTypes.createPolicy('kadr', {
  createHTML: (/** @type {string} */ text) => text,
  createScriptURL: () => '/sw.js', // the only script that is ever named by a text
});

/** The service worker's address. */
export const serviceWorkerURL = policy.createScriptURL('');

// Where a value may stand besides in an attribute, whose name then is the place.
const TEXT = 'text content';
const TAG = 'a tag';

/** @param {unknown} value @param {string} place */
function write(value, place) {
  if (value === null || value === undefined || typeof value === 'boolean') return '';
  const isMarkup = value instanceof Markup;
  if (isMarkup ? place !== TEXT && place !== TAG : place === TAG) throw new TypeError(`a value of the wrong kind in ${place}`);
  if (/^(href|src|action|formaction|poster|xlink:href)$/.test(place) && !isSafeURL(`${value}`)) {
    throw new TypeError(`not an address for ${place}`);
  }
  return isMarkup ? `${value}` : escapeHTML(value);
}

/** A template's strings are one constant object, so each is looked through once. @type {WeakMap<TemplateStringsArray, string[]>} */
const known = new WeakMap();

/** @param {TemplateStringsArray} strings */
function placesOf(strings) {
  if (strings.some((string) => /<(script|style)\b/i.test(string))) throw new TypeError('no scripts or styles in markup');
  const places = known.get(strings) ?? strings.slice(1).map((_, i) => placeAfter(strings.slice(0, i + 1).join('x')));
  known.set(strings, places);
  return places;
}

/** Finds out where a value stands by what is before it. @param {string} before */
function placeAfter(before) {
  const attribute = /<[a-z](?:[^"'>]|"[^"]*"|'[^']*')*?\s([^\s"'<>/=]+)\s*=\s*(?:"[^"]*|'[^']*)$/i.exec(before)?.[1].toLowerCase();
  const inTag = /<[^>\s"']*(?:[^"'>]|"[^"]*"|'[^']*')*$/.test(before);
  if (attribute ? /^(style|srcdoc|on.*)$/.test(attribute) : inTag ? !/[^=\s]\s+$/.test(before) : /=\s*["']?$/.test(before)) {
    throw new TypeError(`no value can stand after ${before.slice(-40)}`);
  }
  return attribute ?? (inTag ? TAG : TEXT);
}
