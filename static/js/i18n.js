/** The pages' words, from `locales/*.json`. Plural forms are chosen, numbers and names put in, by `Intl`. */

import { fetchFile } from './api.js';

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry */

/** The languages that there are catalogues of, as their speakers call them. */
export const LANGUAGES = /** @type {const} */ ({ en: 'English', ru: 'Русский' });

const KEPT = 'kadr-language';

let chosen = 'en';
let locale = 'en';
/** @type {Record<string, Entry>} */
let catalogue = {};

/** @returns {string} the language that the page speaks, such as `en` */
export const language = () => chosen;

/** @returns {string} how numbers and dates look: the browser's own kind of the page's language, such as `en-GB` */
export const currentLocale = () => locale;

/**
 * Chooses the first language that the browser prefers and a catalogue has.
 * @param {readonly string[]} preferred
 * @returns {{ language: string, locale: string }}
 */
export function pickLanguage(preferred) {
  for (const name of preferred) {
    const base = name.toLowerCase().split('-')[0];
    if (Object.hasOwn(LANGUAGES, base)) return { language: base, locale: name };
  }
  return { language: 'en', locale: 'en' };
}

/**
 * Lets the page speak a language: the one given, which is kept, or the one that was, or the browser's.
 * @param {string} [wanted]
 */
export async function loadLanguage(wanted) {
  try {
    if (wanted) localStorage.setItem(KEPT, wanted);
    else wanted = localStorage.getItem(KEPT) ?? undefined;
  } catch {
    // A browser that keeps nothing forgets the choice.
  }
  const picked = pickLanguage([...(wanted ? navigator.languages.filter((name) => name.startsWith(wanted)) : []),
    ...(wanted ? [wanted] : []), ...navigator.languages]);
  setCatalogue(picked.language, await (await fetchFile(`/locales/${picked.language}.json`)).json(), picked.locale);
  document.documentElement.lang = chosen;
}

/**
 * @param {string} name
 * @param {Record<string, Entry>} entries
 * @param {string} [numbers]
 */
export function setCatalogue(name, entries, numbers = name) {
  chosen = name;
  locale = numbers;
  catalogue = entries;
}

/** @param {string} key */
export const hasText = (key) => Object.hasOwn(catalogue, key);

/**
 * Says something in the page's language. `{name}` in the text is replaced by the value of that name; an entry with
 * plural forms is chosen by `count`. A key that is missing is shown as it is: a test does not let that happen.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const entry = hasText(key) ? catalogue[key] : key;
  const form = typeof entry === 'string' ? entry
    : entry[new Intl.PluralRules(locale).select(Number(values.count))] ?? entry.other ?? key;
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : value ?? whole;
  });
}
