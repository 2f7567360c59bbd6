/** The texts that show a picture elsewhere, each escaped for its syntax. */

import { escapeHTML } from './html.js';
import { linkOf, nameOf, sourcesOf } from './links.js';

/** @typedef {import('./types').Image} Image */

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
