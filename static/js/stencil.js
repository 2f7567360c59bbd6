/** Markup that lies in index.html: `data-t` names the words of an element. */

import { t } from './i18n.js';

/** Elements in the order in which they stand. @param {ParentNode} root @param {string} selector @returns {any[]} */
export const parts = (root, selector) => [...root.querySelectorAll(selector)];

/** Fills in the words. @template {ParentNode} Root @param {Root} root */
export function speak(root) {
  for (const part of parts(root, '[data-t]')) part.textContent = t(part.dataset.t);
  return root;
}

/** What is in a `<template>`. @param {string} id */
export const stencil = (id) => speak(document.importNode(/** @type {any} */ (document.getElementById(id)).content, true));
