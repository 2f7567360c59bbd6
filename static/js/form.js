/** Forms: what is typed is checked here, then by the server, and each fault is told at its field. */

import { errorNotice } from './components/notice.js';
import { find, icon, onAction } from './dom.js';
import { html, render } from './html.js';
import { hasText, t } from './i18n.js';
import { fieldErrors } from './problem.js';

const FIELDS = {
  name: html`name="name" autocomplete="username" required`,
  new_name: html`name="name" autocomplete="username" required pattern="[a-z0-9][a-z0-9_\\-]{1,31}"`,
  email: html`name="email" autocomplete="email" inputmode="email" pattern="[^@\\s]{1,64}@[^@\\s.]+(\\.[^@\\s.]+)+"`,
  password: html`name="password" type="password" autocomplete="current-password" required`,
  current_password: html`name="current_password" type="password" autocomplete="current-password" required`,
  new_password: html`name="password" type="password" autocomplete="new-password" required minlength="10"`,
  invite_code: html`name="invite_code" autocomplete="off" required pattern="[a-z2-7]{26}"`,
  key_name: html`name="name" autocomplete="off" required`,
  confirm: html`name="confirm" autocomplete="off" required`,
};
let made = 0;

/** @param {keyof typeof FIELDS} key @param {string | null} [value] */
export function field(key, value) {
  const id = `field-${++made}`;
  return html`<div class="field"><label for="${id}">${t(`field.${key}`)}</label>
    <div class="field-row"><input class="input" id="${id}" value="${value ?? ''}" maxlength="256" autocapitalize="none" spellcheck="false"
      aria-describedby="${id}-error ${id}-hint" ${FIELDS[key]}>${key.endsWith('password') && html`<button
      type="button" class="button small quiet" data-action="reveal" aria-pressed="false">${t('field.show')}</button>`}</div>
    <p class="field-error" id="${id}-error"></p><p class="field-hint" id="${id}-hint">${hasText(`field.${key}_hint`) && t(`field.${key}_hint`)}</p></div>`;
}

/** @type {import('./types').Choices} */
export const choices = (name, values, chosen, type = 'radio') => html`<fieldset class="field"><legend>${t(`field.${name}`)}</legend>
  ${values.map((value) => html`<label class="choice"><input type="${type}" name="${name}" value="${value}" ${value === chosen && html`checked`}>
    <span>${t(`field.${value}`)}<small>${t(`field.${value}_hint`)}</small></span></label>`)}<p class="field-error"></p></fieldset>`;

/** Fills an element with a form. What `send` returns is said when it is done. @type {import('./types').MountForm} */
export function mountForm(root, fields, action, send, look = 'primary') {
  render(root, html`<form class="form" method="post" novalidate>${fields}
    <div class="form-message" role="status"></div><button class="button ${look}">${action}</button></form>`);
  const form = find(root, 'form', HTMLFormElement);
  const message = find(form, '.form-message');
  const inputs = [...form.querySelectorAll('input')];
  const tell = (/** @type {Map<string, string>} */ found) => {
    for (const input of inputs) {
      find(Object(input.closest('.field')), '.field-error').textContent = found.get(input.name) ?? '';
      input.ariaInvalid = String(found.has(input.name));
    }
    inputs.find(({ name }) => found.has(name))?.focus();
    return found.size;
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.ariaBusy) return;
    message.replaceChildren();
    for (const input of inputs) if (!input.name.endsWith('password')) input.value = input.value.trim();
    if (tell(new Map(inputs.filter((input) => !input.checkValidity()).map(({ name, validity: { valueMissing, tooShort }, minLength }) =>
      [name, t(`field.${valueMissing ? 'missing' : tooShort ? 'short' : `${name}_wrong`}`, { count: minLength })])))) return;
    form.ariaBusy = 'true';
    try {
      render(message, html`<p class="saved">${icon('check')}${await send(/** @type {any} */ (Object.fromEntries(new FormData(form))), form)}</p>`);
    } catch (error) {
      if (!tell(fieldErrors(error, inputs.map(({ name }) => name)))) render(message, errorNotice(error, { retry: Object(error).status === 412 ? 'reload' : '' }));
    }
    form.ariaBusy = null;
  });
  form.addEventListener('input', () => message.querySelector('.saved')?.remove());
  onAction(form, {
    reveal(button) {
      const input = Object(button.previousElementSibling);
      input.type = input.type === 'text' ? 'password' : 'text';
      button.ariaPressed = String(input.type === 'text');
    },
  });
  return form;
}
