/** Numbers and times as people read them, by `Intl`. */

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/**
 * Chooses how dates and numbers look. The page speaks English, so they take the first kind of English that the browser
 * prefers: a sentence half in another language would be worse than a foreign date.
 * @param {readonly string[]} languages
 * @returns {string}
 */
export function pickLocale(languages) {
  return languages.find((language) => /^en\b/i.test(language)) ?? 'en';
}

const LOCALE = pickLocale(globalThis.navigator?.languages ?? []);

/**
 * Writes a number of bytes in decimal units, as file managers and disk makers do: `3.8 MB`.
 * @param {number} bytes
 * @param {string} [locale]
 * @returns {string}
 */
export function formatSize(bytes, locale = LOCALE) {
  let unit = 0;
  let value = bytes;
  // 999.95 would be written as 1,000.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: UNITS[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1,
  }).format(value);
}

/**
 * Writes a width and a height: `4,032 × 3,024`.
 * @param {number} width
 * @param {number} height
 * @param {string} [locale]
 * @returns {string}
 */
export function formatDimensions(width, height, locale = LOCALE) {
  const number = new Intl.NumberFormat(locale);
  return `${number.format(width)} × ${number.format(height)}`;
}

/**
 * Writes an RFC 3339 time as a date and a time of day.
 * @param {string} time
 * @param {{ locale?: string, timeZone?: string }} [options] the browser's zone unless given
 * @returns {string} what was given, if it is not a time
 */
export function formatTime(time, { locale = LOCALE, timeZone } = {}) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone }).format(date);
}

/**
 * Writes a moment as a time of day with seconds.
 * @param {number} milliseconds since the epoch
 * @param {{ locale?: string, timeZone?: string }} [options] the browser's zone unless given
 * @returns {string}
 */
export function formatClock(milliseconds, { locale = LOCALE, timeZone } = {}) {
  return new Intl.DateTimeFormat(locale, { timeStyle: 'medium', timeZone }).format(milliseconds);
}

/**
 * Writes a wait: `in 30 seconds`, `in 5 minutes`.
 * @param {number} seconds
 * @param {string} [locale]
 * @returns {string}
 */
export function formatWait(seconds, locale = LOCALE) {
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'always' });
  if (seconds < 90) return relative.format(seconds, 'second');
  if (seconds < 90 * 60) return relative.format(Math.ceil(seconds / 60), 'minute');
  return relative.format(Math.ceil(seconds / 3600), 'hour');
}
