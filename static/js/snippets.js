/** The texts that show a picture elsewhere, each escaped for its syntax, and the addresses that the pages use. */

import { escapeHTML } from './html.js';

/** @typedef {import('./types').Image} Image */

/** @param {Pick<Image, 'title' | 'filename'>} image */
export const nameOf = (image) => image.title || image.filename;

/** The direct link: to the original, or to a JPEG of what browsers do not show. @param {Pick<Image, 'url' | 'media_type'>} image */
export const linkOf = ({ url, media_type }) => (/heic|tiff/.test(media_type) ? url.replace(/\.[a-z]+$/, '.jpg') : url);

/** An address of this instance for this page, which may know the server by another name. @param {string} address @param {string} [base] of the API */
export function localAddress(address, base = '') {
  const url = new URL(address, 'http://localhost');
  return base + url.pathname + url.search;
}

/**
 * The sources of a `<picture>`, the original among the sizes; none for what moves. Lists leave variants out, but a
 * thumbnail's link takes other widths too.
 * @param {Image} image
 * @param {(address: string) => string} address
 */
export function sourcesOf(image, address) {
  const { thumbnail_url: small, width } = image;
  const variants = image.variants ?? (/\.webp\?/.test(small) ? [320, 640, 1280, 2560] : []).filter((size) => size < width)
    .map((size) => ({ media_type: 'image/webp', width: size, url: small.replace(/\bw=\d+/, `w=${size}`) }));
  return [...new Set(variants.map((one) => one.media_type))].map((type) => ({
    type, srcset: [...variants.filter((one) => one.media_type === type), { url: linkOf(image), width }]
      .map((one) => `${address(one.url)} ${one.width}w`).join(', '),
  }));
}

/** What can be copied. @type {Record<import('./types').SnippetKind, (image: Image) => string>} */
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

/** A `_` inside of a word means nothing in CommonMark. @param {Image} image @param {string} address */
const markdown = (image, address) => `![${altOf(image).replace(/[\\[\]()<>&*`~|]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\$&')}](${
  encode(address)})`;

/** @param {Image} image */
const altOf = (image) => (image.description || nameOf(image)).replace(/\s+/g, ' ').trim();

/** @param {string} address */
const inHTML = (address) => escapeHTML(encode(address));

/** Percent-encodes what would end an address somewhere: in reStructuredText a last `_` does. @param {string} address */
const encode = (address) => address.replace(/[\s<>()[\]\\"'`|,]|_$/g, (c) =>
  encodeURIComponent(c).replace(/^[()'_]$/, () => `%${c.charCodeAt(0).toString(16)}`));
