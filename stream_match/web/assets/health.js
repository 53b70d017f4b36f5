// How the listener is: its own account of it, where it gives one, and the last word of each source.

import { ago, ask, byId, clocked, make } from "./elements.js";

const EVERY_MS = 10000;

export class Health {
  #clock;
  #control = false;
  #status = new Map();
  #account = null;

  constructor(clock) {
    this.#clock = clock;
    setInterval(() => !document.hidden && this.#load(), EVERY_MS);
  }

  begin(state) {
    this.#control = state.control;
    this.#status = new Map(Object.entries(state.sources).map(([name, told]) => [name, told.status]));
    this.#load();
  }

  hear(event) {
    if (event.type !== "status") return;
    this.#status.set(event.source, event);
    this.#render();
  }

  async #load() {
    if (this.#control) this.#account = await ask("/api/health").catch((error) => ({ health: error.message }));
    this.#render();
  }

  #render() {
    const own = [...this.#status].filter(([, told]) => told).map(([name, told]) => this.#source(name, told));
    const { sources, ...rest } = this.#account ?? {};
    const lines = flat(rest);
    const account = lines.length ? [make("div", {}, make("h3", {}, "Listener"), list(lines))] : [];
    byId("vitals").replaceChildren(...own, ...account);
  }

  #source(name, told) {
    const account = this.#account?.sources;
    const more = Array.isArray(account) ? account.find((one) => one.name === name || one.source === name) : account?.[name];
    const known = new Set(["state", "name", "source"]);
    const lines = [
      ["state", [told.state, told.reason].filter(Boolean).join(": ")],
      ["heard", clocked(told.stream_s)],
      ["last audio", told.last_audio_at ? ago(this.#clock() - Date.parse(told.last_audio_at)) : "none"],
      ["lost by overrun", `${told.dropped_s.toFixed(1)} s`],
      ["lost in outages", `${told.outage_s.toFixed(1)} s`],
      ...flat(more ?? {}).filter(([key]) => !known.has(key)),
    ];
    return make("div", {}, make("h3", {}, told.source_name || name), list(lines));
  }
}

const list = (lines) => make("dl", {}, ...lines.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, String(value))]));

/** Whatever an account holds, as lines. */
function flat(value, before = "") {
  return Object.entries(value).flatMap(([key, inside]) => {
    const name = `${before}${key.replaceAll("_", " ")}`;
    if (inside === null || inside === undefined) return [];
    if (Array.isArray(inside)) return inside.length ? [[name, inside.map((one) => (typeof one === "object" ? JSON.stringify(one) : one)).join(", ")]] : [];
    if (typeof inside === "object") return flat(inside, `${name} `);
    return [[name, typeof inside === "number" ? Math.round(inside * 1000) / 1000 : inside]];
  });
}
