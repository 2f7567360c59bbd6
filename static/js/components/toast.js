/** How long a message stays, in milliseconds. */
const STAYS = 2800;

/** Short messages at the foot of the page; its element is a live region, so that screen readers say them too. */
export class Toast {
  #root;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} message */
  show(message) {
    clearTimeout(this.#timer);
    // Emptied first: the same message twice is no change, and a live region would keep silent.
    this.#root.textContent = '';
    requestAnimationFrame(() => {
      this.#root.textContent = message;
      this.#root.classList.add('shown');
    });
    this.#timer = setTimeout(() => this.#root.classList.remove('shown'), STAYS);
  }
}
