/**
 * The only door for markup into the page. The `html` tag escapes every value by where it stands, and refuses at once
 * the places where escaping would not help: event handlers, inline styles, unquoted attributes, dangerous addresses.
 * The page's one Trusted Types policy, `kadr`, lives here and is not exported, so nothing else can make HTML of text.
 */

/** @typedef {'text' | 'tag' | { attribute: string }} Place where in the markup a value stands */

const ESCAPES = /** @type {Record<string, string>} */ ({
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;',
});

const URL_ATTRIBUTES = new Set(['href', 'src', 'action', 'formaction', 'poster', 'xlink:href']);

/** Only the `html` tag has this, so nobody else can declare a text to be markup. */
const MADE_HERE = Symbol('made by html``');

/** Markup whose values are escaped; made by the `html` tag alone. */
export class Markup {
  #text;

  /**
   * @param {string} text
   * @param {symbol} key
   */
  constructor(text, key) {
    if (key !== MADE_HERE) throw new TypeError('Markup is made by the html tag only');
    this.#text = text;
  }

  /** @returns {string} the HTML */
  toString() {
    return this.#text;
  }
}

/**
 * Escapes a text for HTML, in element content and in quoted attributes.
 * @param {unknown} value
 */
export function escapeHTML(value) {
  return String(value).replace(/[&<>"'`]/g, (character) => ESCAPES[character]);
}

/**
 * Tells whether an address may stand in `href` or `src`: relative, http, https or blob. Browsers ignore tabs, line
 * breaks and leading spaces in a scheme, so they are dropped before looking.
 * @param {string} address
 */
export function isSafeURL(address) {
  // eslint-disable-next-line no-control-regex
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address.replace(/[\u0000-\u0020\u007f]/g, ''));
  return !scheme || ['http', 'https', 'blob'].includes(scheme[1].toLowerCase());
}

/**
 * Makes markup of a template. Texts and numbers are escaped; other markup and arrays of it go in as they are; null,
 * undefined, false and true leave nothing, so that `${busy && html`disabled`}` works.
 * @param {TemplateStringsArray} strings
 * @param {...unknown} values
 * @returns {Markup}
 * @throws {TypeError} where a value stands in a place that cannot be made safe
 */
export function html(strings, ...values) {
  const places = placesOf(strings);
  let text = strings[0];
  values.forEach((value, i) => {
    text += [value].flat().map((one) => write(one, places[i])).join('') + strings[i + 1];
  });
  return new Markup(text, MADE_HERE);
}

/**
 * Makes nodes of markup, ready to be put anywhere.
 * @param {Markup} markup
 */
export function fragment(markup) {
  if (!(markup instanceof Markup)) throw new TypeError('fragment takes markup of the html tag only');
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(markup.toString());
  return template.content;
}

/**
 * Makes one element of markup that has one element at its top.
 * @param {Markup} markup
 */
export function element(markup) {
  const first = fragment(markup).firstElementChild;
  if (!(first instanceof HTMLElement)) throw new TypeError('the markup has no element');
  return first;
}

/**
 * Replaces what is in an element.
 * @param {Element} target
 * @param {Markup} markup
 */
export function render(target, markup) {
  target.replaceChildren(fragment(markup));
}

/**
 * Trusted Types are typed only by the newest TypeScript, hence `any`. Browsers without them get the same text.
 * @type {{ createHTML(text: string): any, createScriptURL(text: string): any }}
 */
const policy = (/** @type {any} */ (globalThis).trustedTypes ?? { createPolicy: (/** @type {string} */ _, /** @type {any} */ rules) => rules })
  .createPolicy('kadr', {
    createHTML: (/** @type {string} */ text) => text,
    createScriptURL: () => '/sw.js',
  });

/** The address of the service worker, the only script that is ever named by one. */
export const serviceWorkerURL = policy.createScriptURL('');

/**
 * @param {unknown} value
 * @param {Place} place
 * @returns {string}
 */
function write(value, place) {
  if (value === null || value === undefined || typeof value === 'boolean') return '';
  if (value instanceof Markup) {
    if (typeof place === 'object') throw new TypeError(`markup cannot be the value of ${place.attribute}`);
    return value.toString();
  }
  if (place === 'tag') throw new TypeError('a text cannot stand among the attributes of a tag');
  if (typeof place === 'object' && URL_ATTRIBUTES.has(place.attribute) && !isSafeURL(String(value))) {
    throw new TypeError(`not an address for ${place.attribute}`);
  }
  return escapeHTML(value);
}

/**
 * A template's strings are one constant object, so each template is looked through once.
 * @type {WeakMap<TemplateStringsArray, Place[]>}
 */
const known = new WeakMap();

/** @param {TemplateStringsArray} strings */
function placesOf(strings) {
  const places = known.get(strings) ?? findPlaces(strings);
  known.set(strings, places);
  return places;
}

/**
 * Walks through the constant parts as far as needed to know where each value stands: in text, in a tag, or in a quoted
 * attribute and in which.
 * @param {TemplateStringsArray} strings
 * @returns {Place[]}
 */
function findPlaces(strings) {
  let inTag = false;
  let quote = '';
  let attribute = '';
  return strings.map((string, index) => {
    if (/<(script|style)\b/i.test(string)) throw new TypeError('no scripts or styles in markup');
    for (let i = 0; i < string.length; i++) {
      const character = string[i];
      if (quote) {
        if (character === quote) quote = '';
      } else if (inTag && (character === '"' || character === "'")) {
        quote = character;
        attribute = /([^\s"'<>/=]+)\s*=\s*$/.exec(string.slice(0, i))?.[1].toLowerCase() ?? '';
      } else if (inTag) {
        if (character === '>') inTag = false;
      } else if (character === '<') {
        inTag = true;
      }
    }
    if (index === strings.length - 1) return 'text';
    if (quote) {
      if (/^(|style|srcdoc|on.*)$/.test(attribute)) throw new TypeError(`no value can be put into the attribute "${attribute}"`);
      return { attribute };
    }
    if (inTag) {
      if (!/\s$/.test(string) || /=\s*$/.test(string)) throw new TypeError('values of attributes must be quoted');
      return 'tag';
    }
    // A piece of a tag that is a template of its own could not be checked.
    if (/=\s*["']?$/.test(string)) throw new TypeError('an attribute with a value belongs into its tag');
    return 'text';
  });
}
