// The stream of events. It is closed while the page is hidden, and goes on where it was left.

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;
const DEAD_MS = 40000; // the listener says something every 15 s

export class Live {
  #handlers;
  #source = null;
  #last = "";
  #wait = FIRST_WAIT_MS;
  #timer = 0;
  #heard = 0;
  #offset = 0;

  /** handlers: now(state), told(event, isPast), chroma(piece), link(isLive). */
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    window.addEventListener("pagehide", () => this.#close());
    window.addEventListener("pageshow", () => this.#open());
    setInterval(() => this.#source && Date.now() - this.#heard > DEAD_MS && this.#broke(), 5000);
    this.#open();
  }

  /** The listener's clock [ms since 1970]. */
  now() {
    return Date.now() + this.#offset;
  }

  #open() {
    if (this.#source || document.hidden) return;
    clearTimeout(this.#timer);
    const source = new EventSource(`/api/live${this.#last ? `?after=${encodeURIComponent(this.#last)}` : ""}`);
    this.#source = source;
    this.#heard = Date.now();
    let known = "";
    source.addEventListener("error", () => this.#broke());
    source.addEventListener("now", (message) => {
      const state = JSON.parse(message.data);
      this.#offset = state.time * 1000 - Date.now();
      this.#wait = FIRST_WAIT_MS;
      known = state.last_id;
      this.#last = this.#last || known;
      this.#alive();
      this.#handlers.now(state);
      this.#handlers.link(true);
    });
    source.addEventListener("told", (message) => {
      this.#alive();
      if (message.lastEventId > this.#last) this.#last = message.lastEventId;
      // What was missed is told again; what is true now was said before it.
      this.#handlers.told(JSON.parse(message.data), message.lastEventId <= known);
    });
    source.addEventListener("chroma", (message) => {
      this.#alive();
      this.#handlers.chroma(JSON.parse(message.data));
    });
    source.addEventListener("still", () => this.#alive());
  }

  #alive() {
    this.#heard = Date.now();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #broke() {
    this.#close();
    this.#handlers.link(false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(LONGEST_WAIT_MS, 2 * this.#wait);
  }
}
