/** Forms: what is typed is checked here, then by the server, and each fault is told at its field. */

import { errorNotice } from './components/notice.js';
import { find, onAction } from './dom.js';
import { html, render } from './html.js';
import { hasText, t } from './i18n.js';
import { fieldErrors } from './problem.js';

/** What browsers fill in, and a pattern. @type {Record<string, string[]>} */
const TEXTS = {
  name: ['username'],
  new_name: ['username', '[a-z0-9][a-z0-9_\\-]{1,31}'],
  email: ['email', '[^@\\s]{1,64}@[^@\\s.]+(\\.[^@\\s.]+)+'],
  password: ['current-password'],
  current_password: ['current-password'],
  new_password: ['new-password', '.{10,}'],
  invite_code: ['off', '[a-z2-7]{26}'],
};
/** @type {Record<string, string[]>} */
const CHOICES = {
  keep_metadata: ['false', 'true'],
  default_visibility: ['unlisted', 'public', 'private'],
  scopes: ['images:write', 'images:read', 'images:delete', 'account:read'],
  days: ['0', '30', '365'],
};

/** @type {import('./types').Field} */
function field(key, values) {
  const say = (word = key) => hasText(`field.${word}`) && t(`field.${word}`);
  const options = CHOICES[key];
  const id = `field-${Math.random()}`;
  const secret = key.endsWith('password');
  const name = key.replace(/^(new|key)_/, '');
  const [fill, pattern] = TEXTS[key] ?? ['off'];
  return options ? html`<fieldset class="field"><legend>${say()}</legend>${options.map((value) => html`<label class="choice">
    <input type="${key === 'scopes' ? 'checkbox' : 'radio'}" name="${key}" value="${value}" ${value === `${values[key] ?? options[0]}` && html`checked`}>
    <span>${say(value)}<small>${say(`${value}_hint`)}</small></span></label>`)}<p class="field-error"></p></fieldset>`
    : html`<div class="field"><label>${say()}<input class="input" name="${name}" type="${secret ? 'password' : 'text'}" value="${values[name]}"
    autocomplete="${fill}" pattern="${pattern ?? '.*'}" ${key !== 'email' && html`required`} autocapitalize="none" spellcheck="false" aria-describedby="${id}"></label>
    ${secret && html`<button type="button" class="button small quiet" data-action="reveal" aria-pressed="false">${say('show')}</button>`}
    <div id="${id}"><p class="field-error"></p><p class="field-hint">${say(`${key}_hint`)}</p></div></div>`;
}

/** @type {import('./types').MountForm} */
export function mountForm(root, keys, values, action, send, look = 'primary') {
  render(root, html`<form class="form" method="post" novalidate>${keys.map((key) => field(key, values))}
    <div class="form-message" role="status"></div><button class="button ${look}">${action}</button></form>`);
  const form = find(root, 'form', HTMLFormElement);
  const message = find(form, '.form-message');
  const inputs = /** @type {any[]} */ ([...form.querySelectorAll('input')]);
  const tell = (/** @type {Map<string, string>} */ found) => {
    for (const input of inputs) {
      find(input.closest('.field'), '.field-error').textContent = found.get(input.name) ?? '';
      input.ariaInvalid = found.has(input.name);
    }
    inputs.find(({ name }) => found.has(name))?.focus();
    return found.size;
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.ariaBusy) return;
    message.replaceChildren();
    for (const input of inputs) if (!input.name.endsWith('password')) input.value = input.value.trim();
    if (tell(new Map(inputs.filter((input) => !input.checkValidity()).map(({ name, value }) => [name, value ? t(`field.${name}_wrong`) : t('field.missing')])))) return;
    form.ariaBusy = 'true';
    try {
      render(message, await send(Object.fromEntries(new FormData(form)), form) ?? html``);
    } catch (error) {
      if (!tell(fieldErrors(error, inputs.map(({ name }) => name)))) render(message, errorNotice(error));
    }
    form.ariaBusy = null;
  });
  onAction(form, {
    reveal(button) {
      const { control } = Object(button.previousElementSibling);
      const shown = control.type === 'text';
      control.type = shown ? 'password' : 'text';
      button.ariaPressed = `${!shown}`;
    },
  });
  return form;
}
