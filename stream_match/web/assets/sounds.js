// Sounds by kind: how often, when last, what they are like; to be named, and heard where clips are kept.

import { ago, ask, byId, make, player, say } from "./elements.js";
import { clipOf } from "./history.js";
import { markingClip } from "./marks.js";
import { naming } from "./names.js";

const EVERY_MS = 60000;
const MOST = 60; // cards
const MOST_KNOWN = 300; // of others that sound again, the listener tells
const DAYS = 7;

export class Sounds {
  #kinds = new Map();
  #names;
  #clock;
  #stored = false;
  #control = false;
  #clips = false;

  constructor(clock, names) {
    this.#clock = clock;
    this.#names = names;
    setInterval(() => !document.hidden && this.#load(), EVERY_MS);
  }

  begin(state) {
    this.#stored = state.history;
    this.#control = state.control;
    this.#clips = state.clips;
    for (const source of Object.values(state.sources)) for (const kind of source.kinds) this.hear(kind);
    this.#load();
    this.#render();
  }

  hear(event) {
    if (event.type === "cluster" && event.change === "merged") {
      for (const gone of event.from) if (gone !== event.cluster_id) this.#forget(event.source, gone);
    }
    if (event.type !== "onset_cluster") return;
    const kind = this.#kind(event.source, event.cluster_id);
    kind.often = Math.max(kind.often, event.cluster_size);
    kind.last = Math.max(kind.last, Date.parse(event.time));
    kind.features = event.features;
    kind.clip = event.clip ?? kind.clip;
    if (event.name !== undefined) this.#names.set(event.source, event.cluster_id, event.name);
    if (kind.parts) this.#update(kind);
    else if (!kind.new) {
      kind.new = true;
      this.#render();
    }
  }

  #kind(source, cluster) {
    const key = `${source} ${cluster}`;
    if (!this.#kinds.has(key)) this.#kinds.set(key, { source, cluster, often: 0, last: 0, features: null, clip: null });
    return this.#kinds.get(key);
  }

  #forget(source, cluster) {
    const kind = this.#kinds.get(`${source} ${cluster}`);
    kind?.parts?.element.remove();
    this.#kinds.delete(`${source} ${cluster}`);
  }

  async #load() {
    if (!this.#stored) return;
    const from = new Date(this.#clock() - DAYS * 86400000).toISOString();
    try {
      const { kinds } = await ask(`/api/kinds?from=${encodeURIComponent(from)}`);
      for (const told of kinds) {
        const kind = this.#kind(told.source, told.cluster_id);
        kind.often = Math.max(kind.often, told.sounds);
        kind.last = Math.max(kind.last, told.last);
        kind.clip = told.clip ?? kind.clip;
        if (told.name !== null) this.#names.set(told.source, told.cluster_id, told.name);
      }
      this.#render();
    } catch {
      // What was heard since the page was opened is shown all the same.
    }
  }

  #render() {
    const all = [...this.#kinds.values()].sort((a, b) => b.often - a.often);
    const kinds = all.slice(0, MOST);
    for (const kind of all.slice(MOST)) this.#putAway(kind);
    for (const kind of all.slice(MOST_KNOWN)) if (!kind.parts) this.#forget(kind.source, kind.cluster);
    byId("no-kinds").hidden = kinds.length > 0;
    const list = byId("kinds");
    const busy = list.contains(document.activeElement); // nobody's form jumps away
    kinds.forEach((kind, place) => {
      kind.parts ??= this.#card(kind);
      this.#update(kind);
      const { element } = kind.parts;
      if (!element.isConnected) list.append(element);
      else if (!busy && list.children[place] !== element) list.insertBefore(element, list.children[place]);
    });
  }

  /** Remove the card of a kind that is not among the frequent ones any more, unless somebody uses it. */
  #putAway(kind) {
    const element = kind.parts?.element;
    if (!element || element.contains(document.activeElement) || element.querySelector("audio")?.paused === false) return;
    element.remove();
    kind.parts = null;
  }

  #card(kind) {
    const parts = {
      name: make("b"), often: make("span", { class: "often" }), when: make("p"), glyph: make("span", { class: "glyph", "aria-hidden": "true" }), player: null,
    };
    const form = this.#control
      ? naming(kind.source, { cluster: kind.cluster }, () => this.#names.given(kind.source, kind.cluster), (name) => {
          this.#names.set(kind.source, kind.cluster, name);
          this.#update(kind);
        })
      : null;
    parts.sound = make("div");
    parts.element = make("li", { "data-kind": kind.cluster }, make("div", { class: "top" }, parts.glyph, parts.name, parts.often), parts.when, parts.sound, form);
    return parts;
  }

  #update(kind) {
    const { name, often, when, glyph, sound } = kind.parts;
    say(name, this.#names.of(kind.source, kind.cluster));
    say(often, `× ${kind.often}`);
    say(when, `${ago(this.#clock() - kind.last)} on ${this.#names.ofSource(kind.source)}`);
    if (kind.features && !glyph.childElementCount) {
      for (const value of Object.values(kind.features).slice(0, 8)) {
        const bar = make("i");
        bar.style.height = `${Math.round(50 + 50 * Math.max(-1, Math.min(1, value)))}%`;
        glyph.append(bar);
      }
    }
    if (this.#clips && kind.clip && !sound.childElementCount) {
      sound.append(player(clipOf(kind), "The sound"));
      if (this.#control) sound.append(markingClip(kind.source, kind.clip));
    }
  }
}
