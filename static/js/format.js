/** Numbers and times as people read them, by `Intl`, in the page's language. */

import { currentLocale } from './i18n.js';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/**
 * Writes a number of bytes in decimal units, as file managers and disk makers do: `3.8 MB`.
 * @param {number} bytes
 * @param {boolean} [perSecond] as a speed: `3.8 MB/s`
 */
export function formatSize(bytes, perSecond = false) {
  let unit = 0;
  let value = bytes;
  // 999.95 would be written as 1,000.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return new Intl.NumberFormat(currentLocale(), {
    style: 'unit',
    unit: UNITS[unit] + (perSecond ? '-per-second' : ''),
    unitDisplay: unit === 0 && !perSecond ? 'long' : 'short',
    maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1,
  }).format(value);
}

/**
 * Writes a width and a height: `4,032 × 3,024`.
 * @param {number} width
 * @param {number} height
 */
export function formatDimensions(width, height) {
  const number = new Intl.NumberFormat(currentLocale());
  return `${number.format(width)} × ${number.format(height)}`;
}

/**
 * Writes an RFC 3339 time as a date, and a time of day unless the date is enough.
 * @param {string} time
 * @param {{ day?: boolean, timeZone?: string }} [options] the browser's zone unless given
 */
export function formatTime(time, { day = false, timeZone } = {}) {
  const style = day ? undefined : /** @type {const} */ ('short');
  return new Intl.DateTimeFormat(currentLocale(), { dateStyle: 'long', timeStyle: style, timeZone }).format(new Date(time));
}

/**
 * Writes how far off a moment is, in its largest whole unit: `in 30 seconds`, `2 days ago`.
 * @param {number} seconds negative for the past
 */
export function formatWait(seconds) {
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= one * 1.5) ?? ['second', 1];
  const away = seconds / size;
  return new Intl.RelativeTimeFormat(currentLocale()).format(seconds > 0 ? Math.ceil(away) : Math.round(away), unit);
}
