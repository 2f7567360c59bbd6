/** Types that several modules share. Nothing of this reaches a browser. */

import type { components, operations } from '../../gen/browser/api';
import type { API } from './api.js';
import type { PictureList, PictureLists, Store } from './store.js';
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

/** A file on its way to be a picture. */
export type Upload = {
  /** Random, and so also what an Idempotency-Key begins with. */
  id: string;
  file: File;
  /** What is said of the picture, and how often that was changed. */
  fields: UploadFields;
  edits: number;
  state: 'waiting' | 'sending' | 'paused' | 'done' | 'duplicate' | 'failed'
    /** Not sent, for the page expects that the server will refuse it for `error`. */
    | 'foretold';
  /** Bytes that have arrived, and bytes per second. */
  sent: number;
  speed: number;
  /** How often it was tried since a byte arrived. */
  tries: number;
  abort: AbortController;
  /** The server's id of an upload in parts that is not finished. */
  remote: string;
  image?: Image;
  error?: unknown;
};
export type UploadFields = { visibility?: Visibility; description: string };
/** Sends a file and says what came of it; `moved` is called when bytes have arrived. Goes on where an earlier one stopped. */
export type Transfer = (api: API, upload: Upload, moved: () => void) => Promise<{ body: Image; duplicate: boolean }>;
/**
 * Dispatches `change` whenever anything of `items` has, an UploadedEvent `uploaded` for each new picture and `edited` for
 * each changed one, and `choose` for somebody who wants the file chooser; its `detail` is `folder` or `camera` for those.
 */
export interface Queue extends EventTarget {
  /** In the order they were added. */
  items: Upload[];
  /** Bytes that a file may have, as far as is known. */
  most: number;
  /** Whether anything is still to be sent. */
  readonly busy: boolean;
  /** Those in any of the states. */
  in: (...states: Upload['state'][]) => Upload[];
  add: (files: Iterable<File>, fields?: Partial<UploadFields>) => void;
  /** Sends what failed, or is paused, now. */
  retry: (uploads: Upload[], tries?: number) => void;
  /** Takes uploads out; of those that are not finished also what has arrived. */
  remove: (uploads: Upload[]) => void;
  /** Says something of a picture: it goes along with the file, or changes what is there already. */
  edit: (upload: Upload, fields: Partial<UploadFields>) => Promise<void>;
  /** Forgets all, as when somebody else signs in. */
  forget: () => void;
}
export type UploadedEvent = Event & { image: Image };

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

/** Asks for what a page shows first, while its words are still on their way. */
export type Ahead = (context: Context) => unknown;

/** Listens to several types of events, given as words. */
export type On = (target: EventTarget, types: string, listener: (event: any) => unknown, options?: AddEventListenerOptions) => void;

/** Finds the element of a type (any HTML element unless given) by a selector, or throws. */
export type Find = <T extends HTMLElement = HTMLElement>(root: ParentNode, selector: string, type?: new () => T) => T;

export type SignInDialog = (context: Context, reason?: string) => Promise<boolean>;
export type When = (time: string | null) => string;

/** Fills an element with a form of the fields that form.js knows by their keys. `send` gets what was typed, by name, and
 *  returns what to show when that has succeeded; `look` is the button's class. */
export type MountForm = (root: HTMLElement, keys: readonly string[], values: object, action: string,
  send: (values: any, form: HTMLFormElement) => Promise<Markup | void>, look?: string) => HTMLFormElement;

/** `mode` is `sign-in` or `register`, `known` has the name; `done` comes when somebody is signed in. */
export type MountAuthForm = (root: HTMLElement, context: Context, mode: string, known?: Account | null, done?: () => void) => void;

/** Fills a section of the settings. `change` is a PATCH to the account as it was read: 412 when it is another by now. */
export type Section = (root: HTMLElement, context: Context, account: Account,
  change: (body: Schemas['AccountPatch']) => Promise<void>) => void;

/** Draws the field of a key, filled from `values` by its name. */
export type Field = (key: string, values: any) => Markup;

/** Adds a card, whose words are those of the key, and returns the place in it. */
export type Card = (root: HTMLElement, key: string) => HTMLElement;

/** Shows what is not shown a second time, and offers it as a file of that name. */
export type Once = (text: string, file?: string) => Markup;

/** A form in a card of its own. */
export type SectionForm = (root: HTMLElement, key: string, keys: readonly string[], values: object,
  send: (values: any, form: HTMLFormElement) => Promise<Markup | void>, look?: string) => HTMLFormElement;

/** A list whose rows `operation` ends: of each, its name and more about it. */
export type Rows = <Item extends { id: string; current?: boolean }>(items: readonly Item[], operation: string,
  tell: (item: Item) => [string, string]) => Markup;

/** Fills a card with what the server has, and returns what does so again. Buttons in it may end some of that first. */
export type Fill = (root: HTMLElement, api: API, draw: () => Promise<Markup>) => (operation?: any, ids?: string) => Promise<void>;

/** What a layout needs to know of a picture. */
export type Size = { readonly width: number; readonly height: number };

/** A row of the grid: the pictures from `from` up to before `to`. `scale` is its height before rounding. */
export type Row = { from: number; to: number; top: number; height: number; scale: number };

/** Draws a list of pictures into an element. */
export type MountGrid = (root: HTMLElement, context: Context, how: {
  list: PictureList;
  /** Whether the pictures are one's own: they can be selected, and say who sees them. */
  selectable?: boolean;
  /** What to say when there are none. */
  empty: () => Markup;
  signal: AbortSignal;
}) => void;

export type Ids = ReadonlySet<string>;

/** What is done to many pictures. */
export type Change = Omit<Schemas['BulkUpdate'], 'ids'>;

export type MountSelectionBar = (root: HTMLElement, context: Context, how: {
  selection: import('./selection.js').Selection;
  list: PictureList;
  /** Brings the focus back into the grid. */
  focus: () => void;
  signal: AbortSignal;
}) => void;

/** The ways in which a picture can be copied. */
export type SnippetKind = 'link' | 'page' | 'markdown' | 'markdown_thumbnail' | 'html' | 'picture' | 'bbcode' | 'bbcode_thumbnail' | 'rst';

/**
 * Puts the viewer into an element of the page; the answer shows a picture in it. One can turn to the picture's neighbours in the
 * list; `turned` is told of it.
 */
export type MountViewer = (root: HTMLElement, context: Context, list: import('./store.js').PictureList | null, signal: AbortSignal,
  turned: (image: Image) => void) => (image: Image) => Promise<void>;
