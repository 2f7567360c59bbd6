/** Markup that lies in index.html: `data-t` names the words of an element. */

import { t } from './i18n.js';

/** Fills in the words. @template {ParentNode} Root @param {Root} root */
export function speak(root) {
  for (const target of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-t]'))) target.textContent = t(target.dataset.t ?? '');
  return root;
}

/** What is in a `<template>`. @param {string} id */
export const stencil = (id) => speak(document.importNode(/** @type {any} */ (document.getElementById(id)).content, true));
