/** Types that several modules share. Nothing of this reaches a browser. */

import type { components, operations } from '../../gen/browser/api';
import type { API } from './api.js';
import type { PictureLists, Store } from './store.js';
import type { Router } from './router.js';

/** What the `html` tag makes. */
export type Markup = ReturnType<typeof import('./html.js').html>;

export type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type Image = Schemas['Image'];
export type ImageList = Schemas['ImageList'];
export type Instance = Schemas['Instance'];
export type Visibility = Schemas['Visibility'];

type Operation = keyof operations;
type Of<O, Key extends string> = O extends Record<Key, infer T> ? T : O extends Partial<Record<Key, infer T>> ? T : never;
type Content<R> = R extends { content: infer C }
  ? C extends { 'application/json': infer T } ? T : C extends { 'text/plain': string } ? string : unknown
  : undefined;

/** What an operation answers when it succeeds. */
export type Answer<O> = O extends Operation ? { [S in keyof operations[O]['responses']]: S extends 200 | 201 | 202 | 204
  ? Content<operations[O]['responses'][S]>
  : never }[keyof operations[O]['responses']] : any;

/** What a call says: the contract's parameters, and how to send it. */
export type Call<O> = {
  path?: O extends Operation ? Of<operations[O]['parameters'], 'path'> : any;
  query?: O extends Operation ? Of<operations[O]['parameters'], 'query'> : any;
  body?: FormData | Blob | (O extends Operation ? RequestBody<operations[O]> : any);
  headers?: Record<string, string>;
  /** Lets the browser send it even while the page is left; bodies up to 64 KiB. */
  keepalive?: boolean;
  signal?: AbortSignal;
};
type RequestBody<O> = Of<O, 'requestBody'> extends { content: infer C } ? C[keyof C] : never;

/** What a catalogue says for a key: a text, or one for each plural form. */
export type Entry = string | Partial<Record<Intl.LDMLPluralRule, string>>;

/** `code` is the last part of the problem's type, such as `name_taken`; `retryAfter` is in seconds. */
export type ProblemInit = {
  code: string;
  /** The HTTP status; 0 when no answer came at all. */
  status: number;
  /** The server's own sentence. */
  detail?: string;
  /** What the server's log has the request under. */
  requestId?: string;
  errors?: readonly Schemas['FieldError'][];
  retryAfter?: number | null;
  cause?: unknown;
};

/** `cursor` is undefined before the first page and null after the last; `error` is why the last page did not come. */
export type PictureListState = {
  items: readonly Image[];
  cursor: string | null | undefined;
  loading: boolean;
  error: unknown;
};

/** `account` is null for a visitor, undefined until it is known; `error` is why it could not be found out. */
export type Session = { account: Account | null | undefined; error: unknown };

/** What every page and component works with. */
export type Context = {
  api: API;
  router: Router;
  session: Store<Session>;
  /** The instance's settings; null until they are known. */
  instance: Store<{ settings: Instance | null }>;
  lists: PictureLists;
  queue: import('./upload-queue.js').UploadQueue;
  /**
   * Says something, or what went wrong, for some seconds, with at most one thing to do about it. Returns what takes it
   * away earlier.
   */
  toast: (message: string | unknown, action?: { label: string; run: () => void }) => () => void;
  /** Opens the form in a dialog and tells whether somebody is signed in now. */
  signIn: (reason?: string) => Promise<boolean>;
  /** Asks the server who is signed in. */
  loadAccount: () => Promise<void>;
  signOut: () => Promise<void>;
  title: (text?: string) => void;
};

/** Fills an empty element; whatever it listens to ends with the signal. */
export type Page = (root: HTMLElement, context: Context, params: Record<string, string>, signal: AbortSignal) => void;

// Names that modules need no import for, which would be bytes in each of them.
declare global {
  type KadrPage = Page;
  type KadrContext = Context;

  /** Fills an element with a form of the fields that form.js knows by their keys. `send` gets what was typed, by name, and
   *  returns what to show when that has succeeded; `look` is the button's class. */
  type MountForm = (root: HTMLElement, keys: readonly string[], values: object, action: string,
    send: (values: any, form: HTMLFormElement) => Promise<Markup | void>, look?: string) => HTMLFormElement;

  /** `mode` is `sign-in` or `register`, `known` has the name; `done` comes when somebody is signed in. */
  type MountAuthForm = (root: HTMLElement, context: Context, mode: string, known?: Account | null, done?: () => void) => void;

  /** Fills a section of the settings. `change` is a PATCH to the account as it was read: 412 when it is another by now. */
  type Section = (root: HTMLElement, context: Context, account: Account,
    change: (body: Schemas['AccountPatch']) => Promise<void>) => void;

  /** A form in a card of its own. */
  type SectionForm = (root: HTMLElement, key: string, keys: readonly string[], values: object,
    send: (values: any, form: HTMLFormElement) => Promise<Markup | void>, look?: string) => HTMLFormElement;

  /** A list whose rows `operation` ends: of each, its name and more about it. */
  type Rows = <Item extends { id: string; current?: boolean }>(items: readonly Item[], operation: string,
    tell: (item: Item) => [string, string]) => Markup;

  /** Fills a card with what the server has, and returns what does so again. Buttons in it may end some of that first. */
  type Fill = (root: HTMLElement, api: API, draw: () => Promise<Markup>) => (operation?: any, ids?: string) => Promise<void>;
}

/** Finds the element of a type (any HTML element unless given) by a selector, or throws. */
export type Find = <T extends HTMLElement = HTMLElement>(root: ParentNode, selector: string, type?: new () => T) => T;

/** What a layout needs to know of a picture. */
export type Size = { readonly width: number; readonly height: number };

/** A row of the grid: the pictures from `from` up to before `to`. `scale` is its height before rounding. */
export type Row = { from: number; to: number; top: number; height: number; scale: number };

/** The ways in which a picture can be copied. */
export type SnippetKind = 'link' | 'page' | 'markdown' | 'markdown_thumbnail' | 'html' | 'picture' | 'bbcode' | 'bbcode_thumbnail' | 'rst';
