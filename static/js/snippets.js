/** The texts that are put on the clipboard, and the addresses that the page itself uses. */

/** @typedef {import('../../gen/browser/api').components['schemas']['Image']} Image */

/**
 * What to call a picture: its title, or else its file's name.
 * @param {Pick<Image, 'title' | 'filename'>} image
 * @returns {string}
 */
export function nameOf(image) {
  return image.title || image.filename;
}

/** The types that not every browser shows. */
const UNSHOWN_TYPES = ['image/heic', 'image/tiff'];

/**
 * The direct link to show a picture by, wherever it is pasted: the original where browsers can show that, else a JPEG.
 * @param {Pick<Image, 'url' | 'media_type'>} image
 * @returns {string}
 */
export function linkOf(image) {
  return UNSHOWN_TYPES.includes(image.media_type) ? image.url.replace(/\.[a-z]+$/, '.jpg') : image.url;
}

/**
 * Escapes a text for Markdown (CommonMark), where it stands between the brackets of a picture or a link: brackets and
 * backslashes end it otherwise, and HTML, code and entities count for more than brackets. A `_` inside of a word means
 * nothing in CommonMark, so that `IMG_2024.jpg` stays readable.
 * @param {string} text
 * @returns {string}
 */
export function escapeMarkdown(text) {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\[\]()<>&*`~|]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_');
}

/**
 * Builds the Markdown that shows a picture.
 * @param {Pick<Image, 'url' | 'media_type' | 'title' | 'description' | 'filename'>} image
 * @returns {string}
 */
export function markdownOf(image) {
  return `![${escapeMarkdown(image.description || nameOf(image))}](${markdownAddress(linkOf(image))})`;
}

/**
 * Turns one of this instance's absolute addresses into one that this page can show: `PUBLIC_URL` may say another name
 * for the server than the one in the address bar (`localhost` and `127.0.0.1`), and the content policy knows one only.
 * @param {string} address
 * @param {string} [base] where the API is, when it is not where the page is
 * @returns {string}
 */
export function localAddress(address, base = '') {
  const url = new URL(address, 'http://localhost');
  return base + url.pathname + url.search;
}

/**
 * One `<source>` of a `<picture>`.
 * @typedef {{ type: string, srcset: string }} Source
 */

/**
 * Sorts a picture's variants into the sources of a `<picture>`, so that a phone need not load a camera's original. A
 * browser takes the first whose type it knows.
 * @param {Pick<Image, 'variants'>} image
 * @param {string} [base] where the API is, when it is not where the page is
 * @returns {Source[]} none when only the original will do
 */
export function sourcesOf(image, base = '') {
  /** @type {Map<string, string[]>} */
  const byType = new Map();
  for (const { media_type: type, url, width } of image.variants ?? []) {
    byType.set(type, [...byType.get(type) ?? [], `${localAddress(url, base)} ${width}w`]);
  }
  return [...byType].map(([type, candidates]) => ({ type, srcset: candidates.join(', ') }));
}

/**
 * Percent-encodes what would end an address in Markdown.
 * @param {string} address
 * @returns {string}
 */
function markdownAddress(address) {
  // encodeURIComponent leaves parentheses as they are.
  return address.replace(/[\s<>\\]/g, encodeURIComponent).replaceAll('(', '%28').replaceAll(')', '%29');
}
