/** What can be said about a file before it is sent. It only foretells: the server decides, from the bytes. */

import { formatSize } from './format.js';

/** The types that the contract takes, for a file chooser's `accept`. */
export const ACCEPTED_TYPES = [
  'image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif', 'image/heic', 'image/heif', 'image/tiff',
];

/** An instance's limit unless it was set otherwise, which the page cannot know. */
const USUAL_LIMIT = 50 * 1024 * 1024;

/**
 * Foretells why the server would refuse a file.
 * @param {{ type: string, size: number }} file
 * @returns {string | null} null when nothing speaks against it
 */
export function foretell(file) {
  if (file.size === 0) return 'The file is empty.';
  // Systems that do not know a type leave it empty; the server looks at the bytes.
  if (file.type !== '' && !ACCEPTED_TYPES.includes(file.type)) {
    return 'Not a JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF picture.';
  }
  if (file.size > USUAL_LIMIT) return `Larger than ${formatSize(USUAL_LIMIT)}, which is the usual limit.`;
  return null;
}

/**
 * Collects the files of a drop or a paste. Folders also look like files there, but cannot be read.
 * @param {DataTransfer} data
 * @returns {{ files: File[], folders: number }}
 */
export function filesOf(data) {
  /** @type {File[]} */
  const files = [];
  let folders = 0;
  for (const item of data.items) {
    if (item.kind !== 'file') continue;
    if (item.webkitGetAsEntry?.()?.isDirectory) {
      folders++;
      continue;
    }
    const file = item.getAsFile();
    if (file) files.push(file);
  }
  return { files, folders };
}

/**
 * Gives pasted pictures a name that tells them apart: browsers call every one `image.png`.
 * @param {File} file
 * @param {Date} [now]
 * @returns {File}
 */
export function namePasted(file, now = new Date()) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const name = `pasted-${local.slice(0, 10)}-${local.slice(11, 19).replaceAll(':', '')}`;
  return new File([file], name + file.name.slice(file.name.lastIndexOf('.')), { type: file.type });
}
