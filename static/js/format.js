/** Numbers and times as people read them, by `Intl`, in the page's language. */

import { currentLocale } from './i18n.js';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/**
 * Writes a number of bytes in decimal units, as file managers do: `3.8 MB`, or as a speed: `3.8 MB/s`.
 * @param {number} bytes
 */
export function formatSize(bytes, perSecond = false) {
  // 999.5 would be written as 1,000.
  const unit = Math.max(0, UNITS.findIndex((_, i) => bytes < 999.5 * 1000 ** i || i === UNITS.length - 1));
  const value = bytes / 1000 ** unit;
  return value.toLocaleString(currentLocale(), {
    style: 'unit',
    unit: UNITS[unit] + (perSecond ? '-per-second' : ''),
    unitDisplay: unit || perSecond ? 'short' : 'long',
    maximumFractionDigits: !unit || value >= 100 ? 0 : 1,
  });
}

/** @param {number} width @param {number} height */
export const formatDimensions = (width, height) =>
  `${width.toLocaleString(currentLocale())} × ${height.toLocaleString(currentLocale())}`;

/**
 * Writes an RFC 3339 time as a date, and the time of day unless the date is enough.
 * @param {string} time
 * @param {{ day?: boolean, timeZone?: string }} [options] the browser's zone unless given
 */
export const formatTime = (time, { day, timeZone } = {}) => new Date(time).toLocaleString(currentLocale(),
  { dateStyle: 'long', timeStyle: day ? undefined : 'short', timeZone });

/**
 * Writes how far off a moment is: `in 30 seconds`, `2 days ago`.
 * @param {number} seconds negative for the past
 */
export function formatWait(seconds) {
  const units = /** @type {const} */ ([['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]);
  const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= one * 1.5) ?? units[3];
  return new Intl.RelativeTimeFormat(currentLocale()).format(Math.ceil(seconds / size), unit);
}
