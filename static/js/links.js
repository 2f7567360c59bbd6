/** What a picture is called, and the addresses that it is shown by. */

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
