/** The pages' words, from `locales/*.json`; plural forms and numbers by `Intl`. */

import { fetchFile } from './api.js';

/** The languages that there are catalogues of, as their speakers call them. */
export const LANGUAGES = /** @type {const} */ ({ en: 'English', ru: 'Русский' });

const KEPT = 'kadr-language';

/** @type {{ language: string, locale: string, catalogue: Record<string, import('./types').Entry> }} */
let now = { language: 'en', locale: 'en', catalogue: {} };

/** The language that the page speaks, such as `en`. */
export const language = () => now.language;

/** How numbers and dates look: the browser's own kind of that language, such as `en-GB`. */
export const currentLocale = () => now.locale;

/** @param {string} key */
export const hasText = (key) => Object.hasOwn(now.catalogue, key);

/** @param {string} name @param {typeof now.catalogue} catalogue */
export function setCatalogue(name, catalogue, locale = name) {
  now = { language: name, locale, catalogue };
}

/**
 * Chooses the first language that is preferred and has a catalogue.
 * @param {readonly string[]} preferred
 */
export function pickLocale(preferred) {
  return preferred.find((name) => Object.hasOwn(LANGUAGES, name.split('-')[0])) ?? 'en';
}

/**
 * Lets the page speak a language: the one given, which is kept, or the one that was, or else the browser's.
 * @param {string | null} [wanted]
 */
export async function loadLanguage(wanted) {
  try {
    if (wanted) localStorage.setItem(KEPT, wanted);
    wanted ??= localStorage.getItem(KEPT);
  } catch {
    // A browser that keeps nothing forgets the choice.
  }
  const { languages } = navigator;
  const locale = pickLocale(wanted ? [...languages.filter((name) => name.startsWith(`${wanted}-`)), wanted] : languages);
  const name = locale.split('-')[0];
  setCatalogue(name, await (await fetchFile(`/locales/${name}.json`)).json(), locale);
  document.documentElement.lang = name;
}

/**
 * Says something in the page's language. `{name}` is replaced by the value of that name; an entry with plural forms is
 * chosen by `count`. A key that is missing is shown as it is: a test does not let that happen.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const entry = hasText(key) ? now.catalogue[key] : key;
  const form = typeof entry === 'string' ? entry
    : entry[new Intl.PluralRules(now.locale).select(Number(values.count))] ?? entry.other ?? key;
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name] ?? whole;
    return typeof value === 'number' ? value.toLocaleString(now.locale) : value;
  });
}
