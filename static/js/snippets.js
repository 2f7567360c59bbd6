/** The texts that show a picture elsewhere, each escaped for its syntax, and the addresses that the page itself uses. */

import { escapeHTML } from './html.js';

/** @typedef {import('./types').Image} Image */

/** What to call a picture. @param {Pick<Image, 'title' | 'filename'>} image */
export const nameOf = (image) => image.title || image.filename;

/** The direct link: to the original where browsers show that, else to a JPEG. @param {Pick<Image, 'url' | 'media_type'>} image */
export const linkOf = ({ url, media_type }) => (/heic|tiff/.test(media_type) ? url.replace(/\.[a-z]+$/, '.jpg') : url);

/**
 * Turns an address of this instance into one for this page: `PUBLIC_URL` may call the server by another name.
 * @param {string} address
 * @param {string} [base] where the API is, when it is not where the page is
 */
export function localAddress(address, base = '') {
  const url = new URL(address, 'http://localhost');
  return base + url.pathname + url.search;
}

/**
 * The sources of a `<picture>`, the original among their sizes; none for what moves. Lists leave variants out, but the
 * thumbnail's link takes other widths as well.
 * @param {Image} image
 * @param {(address: string) => string} [address]
 */
export function sourcesOf(image, address = localAddress) {
  const { thumbnail_url: small, width } = image;
  const variants = image.variants ?? (/\.webp\?/.test(small) ? [320, 640, 1280, 2560] : []).filter((size) => size < width)
    .map((size) => ({ media_type: 'image/webp', width: size, url: small.replace(/\bw=\d+/, `w=${size}`) }));
  return [...new Set(variants.map((variant) => variant.media_type))].map((type) => ({
    type,
    srcset: [...variants.filter((variant) => variant.media_type === type), { url: linkOf(image), width }]
      .map((one) => `${address(one.url)} ${one.width}w`).join(', '),
  }));
}

/** What can be copied of a picture. @type {Record<import('./types').SnippetKind, (image: Image) => string>} */
export const SNIPPETS = {
  link: (image) => encode(linkOf(image)),
  page: (image) => encode(image.page_url),
  markdown: (image) => markdown(image, linkOf(image)),
  markdown_thumbnail: (image) => `[${markdown(image, image.thumbnail_url)}](${SNIPPETS.page(image)})`,
  html: (image) => `<img src="${inHTML(linkOf(image))}" alt="${escapeHTML(altOf(image))}" width="${image.width}" height="${image.height}">`,
  picture: (image) => `<picture>\n${sourcesOf(image, inHTML).map(({ type, srcset }) =>
    `  <source type="${type}" srcset="${srcset}" sizes="(max-width: ${image.width}px) 100vw, ${image.width}px">\n`).join('')}  ${
    SNIPPETS.html(image)}\n</picture>`,
  bbcode: (image) => `[img]${SNIPPETS.link(image)}[/img]`,
  bbcode_thumbnail: (image) => `[url=${SNIPPETS.page(image)}][img]${encode(image.thumbnail_url)}[/img][/url]`,
  rst: (image) => `.. image:: ${SNIPPETS.link(image)}\n   :alt: ${altOf(image)}\n   :target: ${SNIPPETS.page(image)}\n`,
};

/** A `_` inside of a word means nothing in CommonMark: `IMG_1.jpg` stays readable. @param {Image} image @param {string} address */
const markdown = (image, address) => `![${altOf(image).replace(/[\\[\]()<>&*`~|]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\$&')}](${
  encode(address)})`;

/** @param {Image} image */
const altOf = (image) => (image.description || nameOf(image)).replace(/\s+/g, ' ').trim();

/** @param {string} address */
const inHTML = (address) => escapeHTML(encode(address));

/** Percent-encodes what would end an address somewhere: in reStructuredText a last `_` does. @param {string} address */
const encode = (address) => address.replace(/[\s<>()[\]\\"'`|,]|_$/g, (character) =>
  encodeURIComponent(character).replace(/^[()'_]$/, (kept) => `%${kept.charCodeAt(0).toString(16)}`));
