/** What is selected of one's pictures. */

import { Store } from './store.js';

/** @import { Ids, Image } from './types' */

/** Pictures that are about to be deleted: no grid shows them. */
export const hidden = new Store({ ids: /** @type {Ids} */ (new Set()) });

/** The ids of what is selected, and how clicks and keys change it. @extends {Store<{ ids: Ids }>} */
export class Selection extends Store {
  #last = '';

  /** @param {() => readonly Image[]} items what there is to select */
  constructor(items) {
    super({ ids: new Set() });
    this.items = items;
  }

  /** Turns one; as a range, makes all from the one turned last be as that is. @param {number} index */
  pick(index, range = false) {
    const ids = new Set(this.state.ids);
    const items = this.items();
    const from = range ? items.findIndex(({ id }) => id === this.#last) : -1;
    const first = from < 0 ? index : from;
    const on = ids.has(items[first].id) === from >= 0;
    for (const { id } of items.slice(Math.min(first, index), Math.max(first, index) + 1)) ids[on ? 'add' : 'delete'](id);
    this.#last = items[index].id;
    this.set({ ids });
  }

  all() {
    this.set({ ids: new Set(this.items().map(({ id }) => id)) });
  }

  /** Selects from one on to another. @param {number} from @param {number} to */
  extend(from, to) {
    this.#last = this.items()[from].id;
    if (!this.state.ids.has(this.#last)) this.pick(from);
    this.pick(to, true);
  }
}
