/** The texts that are put on the clipboard, and the addresses that the page itself uses. */

/** @typedef {import('../../gen/browser/api').components['schemas']['Image']} Image */

/** The widths of the ladder that a picture's page offers; the original stands for everything beyond. */
const PAGE_WIDTHS = [640, 1280, 1920, 2560];

/**
 * What to call a picture: its title, or else its file's name.
 * @param {Pick<Image, 'title' | 'filename'>} image
 * @returns {string}
 */
export function nameOf(image) {
  return image.title || image.filename;
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
 * @param {Pick<Image, 'url' | 'title' | 'description' | 'filename'>} image
 * @returns {string}
 */
export function markdownOf(image) {
  return `![${escapeMarkdown(image.description || nameOf(image))}](${markdownAddress(image.url)})`;
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
 * Builds the `srcset` for a picture's page, so that a phone need not load a camera's original. Formats that may move
 * are left alone, as a smaller one might stand still.
 * @param {Pick<Image, 'url' | 'width' | 'media_type'>} image
 * @param {string} [base] where the API is, when it is not where the page is
 * @returns {string} empty when only the original will do
 */
export function srcsetOf(image, base = '') {
  const widths = PAGE_WIDTHS.filter((width) => width < image.width);
  if (widths.length === 0 || (image.media_type !== 'image/jpeg' && image.media_type !== 'image/png')) return '';
  const sized = widths.map((width) => {
    const url = new URL(localAddress(image.url), 'http://localhost');
    url.searchParams.set('w', String(width));
    return `${localAddress(url.href, base)} ${width}w`;
  });
  return [...sized, `${localAddress(image.url, base)} ${image.width}w`].join(', ');
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
