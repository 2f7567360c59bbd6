/** Register or sign in: one card, two tabs. */

import { find } from '../dom.js';
import { html, render } from '../html.js';
import { Problem, fieldErrors } from '../problem.js';
import { errorNotice, plainNotice } from './notice.js';

/** @typedef {import('../app.js').Context} Context */
/** @typedef {import('../html.js').Markup} Markup */
/** @typedef {'sign-in' | 'register'} Tab */

const FIELDS = ['name', 'password', 'email', 'invite_code'];

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} signal
 */
export function mountAuthCard(root, context, signal) {
  render(root, html`
    <div class="tabs" role="tablist" aria-label="Your account">
      ${tabButton('sign-in', 'Sign in')}${tabButton('register', 'Register')}
    </div>
    <div id="auth-panel" role="tabpanel"></div>`);
  const panel = find(root, '#auth-panel');
  const tabs = /** @type {HTMLButtonElement[]} */ ([...root.querySelectorAll('[role="tab"]')]);
  const { notice } = context.session.state;

  /**
   * @param {Tab} tab
   * @param {string} [text] what to say above the form
   */
  const choose = (tab, text = '') => {
    const typed = panel.querySelector('input')?.value ?? '';
    for (const button of tabs) {
      const selected = button.dataset.tab === tab;
      button.setAttribute('aria-selected', String(selected));
      button.tabIndex = selected ? 0 : -1;
      if (selected) panel.setAttribute('aria-labelledby', button.id);
    }
    render(panel, form(tab, typed, text));
  };

  root.addEventListener('click', (event) => {
    const button = event.target instanceof Element ? event.target.closest('[role="tab"]') : null;
    if (button instanceof HTMLElement) choose(/** @type {Tab} */ (button.dataset.tab));
  }, { signal });
  root.addEventListener('keydown', (event) => {
    const at = tabs.findIndex((tab) => tab === event.target);
    if (at < 0 || !['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return;
    event.preventDefault();
    const other = tabs[event.key === 'Home' ? 0 : event.key === 'End' ? tabs.length - 1 : 1 - at];
    other.focus();
    choose(/** @type {Tab} */ (other.dataset.tab));
  }, { signal });
  root.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit(/** @type {HTMLFormElement} */ (event.target), context, choose);
  }, { signal });
  choose('sign-in', notice);
}

/**
 * @param {HTMLFormElement} form
 * @param {Context} context
 * @param {(tab: Tab, text?: string) => void} choose
 */
async function submit(form, context, choose) {
  const button = /** @type {HTMLButtonElement} */ (find(form, '[type="submit"]'));
  if (button.disabled || !checkFields(form)) return;
  const value = (/** @type {string} */ name) => {
    const input = form.elements.namedItem(name);
    return input instanceof HTMLInputElement && !input.closest('[hidden]') ? input.value : '';
  };
  const registers = form.dataset.form === 'register';
  const credentials = { name: value('name').trim(), password: value('password') };
  const email = value('email').trim();
  const inviteCode = value('invite_code').trim();
  button.disabled = true;
  render(find(form, '.form-message'), html``);
  try {
    if (registers) {
      await context.api.createAccount({
        ...credentials, ...(email !== '' && { email }), ...(inviteCode !== '' && { invite_code: inviteCode }),
      });
      try {
        await context.api.createSession(credentials);
      } catch {
        choose('sign-in', 'Your account is there. Sign in to use it.');
        return;
      }
    } else {
      await context.api.createSession(credentials);
    }
    await context.loadAccount();
    // Another message can only come from a server that took the login and cannot be reached now.
    if (context.session.state.error) render(find(form, '.form-message'), errorNotice(context.session.state.error));
  } catch (error) {
    showFailure(form, error);
  } finally {
    button.disabled = false;
  }
}

/**
 * Foretells the plain mistakes, so that nobody has to wait for the server to find them.
 * @param {HTMLFormElement} form
 * @returns {boolean}
 */
function checkFields(form) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const input of form.querySelectorAll('input')) {
    if (input.closest('[hidden]') || input.validity.valid) continue;
    const { valueMissing, tooShort } = input.validity;
    found.set(input.name, valueMissing ? 'Please fill this in.'
      : tooShort ? `At least ${input.minLength} characters.` : input.dataset.wrong ?? 'Please check this.');
  }
  showFieldErrors(form, found);
  return found.size === 0;
}

/**
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
function showFailure(form, error) {
  const problem = error instanceof Problem ? error : null;
  const found = problem ? fieldErrors(problem, FIELDS) : new Map();
  const invite = form.querySelector('#field-invite_code');
  if (invite instanceof HTMLElement && (problem?.is('invite_needed') || found.has('invite_code'))) {
    const news = invite.hidden;
    invite.hidden = false;
    if (!found.has('invite_code')) found.set('invite_code', problem?.message ?? '');
    // The field has just come: it is a question, and not a mistake.
    if (news) found.set('invite_code', 'This instance is by invitation. Enter your code.');
  }
  const shown = showFieldErrors(form, found);
  if (!shown || !problem || problem.errors.length > found.size) render(find(form, '.form-message'), errorNotice(error));
}

/**
 * Shows each text at its field, and goes to the first.
 * @param {HTMLFormElement} form
 * @param {Map<string, string>} found
 * @returns {boolean} whether any has a field to stand at
 */
function showFieldErrors(form, found) {
  let first = null;
  for (const input of form.querySelectorAll('input')) {
    const text = found.get(input.name) ?? '';
    input.setAttribute('aria-invalid', String(text !== ''));
    find(form, `#error-${input.name}`).textContent = text;
    if (text !== '') first ??= input;
  }
  first?.focus();
  return first !== null;
}

/**
 * @param {Tab} tab
 * @param {string} label
 * @returns {Markup}
 */
function tabButton(tab, label) {
  return html`<button type="button" class="tab" role="tab" id="tab-${tab}" data-tab="${tab}"
    aria-controls="auth-panel" aria-selected="false">${label}</button>`;
}

/**
 * @param {Tab} tab
 * @param {string} name what was typed in the other form
 * @param {string} text
 * @returns {Markup}
 */
function form(tab, name, text) {
  const registers = tab === 'register';
  return html`<form class="form" data-form="${tab}" method="post" novalidate>
    ${text !== '' && plainNotice(text)}
    ${field({
      name: 'name',
      label: 'Name',
      value: name,
      hint: registers ? '2 to 32 lower-case letters, digits, - and _. Everybody can see it.' : '',
      attributes: html`autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="32"
        ${registers && html`pattern="[a-z0-9][a-z0-9_\\-]{1,31}"
          data-wrong="2 to 32 lower-case letters, digits, - and _."`}`,
    })}
    ${field({
      name: 'password',
      label: 'Password',
      hint: registers ? 'At least 10 characters.' : '',
      attributes: registers
        ? html`type="password" autocomplete="new-password" required minlength="10" maxlength="256"`
        : html`type="password" autocomplete="current-password" required maxlength="256"`,
    })}
    ${registers && field({
      name: 'email',
      label: 'Email (optional)',
      hint: 'Nobody else sees it.',
      attributes: html`type="email" autocomplete="email" maxlength="254"
        data-wrong="This does not look like an email address."`,
    })}
    ${registers && field({
      name: 'invite_code',
      label: 'Invite code',
      hidden: true,
      attributes: html`autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required`,
    })}
    <div class="form-message"></div>
    <button type="submit" class="button primary wide">${registers ? 'Create account' : 'Sign in'}</button>
  </form>`;
}

/**
 * @param {object} init
 * @param {string} init.name
 * @param {string} init.label
 * @param {Markup} init.attributes what else the input has, constant
 * @param {string} [init.value]
 * @param {string} [init.hint]
 * @param {boolean} [init.hidden]
 * @returns {Markup}
 */
function field({ name, label, attributes, value = '', hint = '', hidden = false }) {
  return html`<div class="field" id="field-${name}" ${hidden && html`hidden`}>
    <label for="input-${name}">${label}</label>
    <input class="input" id="input-${name}" name="${name}" value="${value}"
      aria-describedby="error-${name} hint-${name}" ${attributes}>
    <p class="field-error" id="error-${name}"></p>
    <p class="field-hint" id="hint-${name}">${hint}</p>
  </div>`;
}
