// What sources and kinds of sounds are called, and the form that names them.

import { ask, make } from "./elements.js";
import { folded } from "./folded.js";

const LONGEST_NAME = 80;

export class Names {
  #given = new Map();
  #titles = new Map();

  /** Learn what a person calls a source; without a title it is called by its name in topics. */
  entitle(source, title) {
    this.#titles.set(source, title || source);
  }

  ofSource(source) {
    return this.#titles.get(source) ?? source;
  }

  set(source, cluster, name) {
    this.#given.set(`${source} ${cluster}`, name);
  }

  /** What a kind is called; the end of its id if nobody has named it. */
  of(source, cluster, told = null) {
    const known = this.#given.get(`${source} ${cluster}`);
    return (known === undefined ? told : known) || `sound ${cluster.slice(cluster.lastIndexOf("-") + 1)}`;
  }

  given(source, cluster) {
    return this.#given.get(`${source} ${cluster}`) ?? "";
  }
}

/** A button that names something in its place. */
export function naming(source, what, current, done) {
  const field = () => {
    const input = make("input", { "aria-label": "Name", maxlength: LONGEST_NAME, autocomplete: "off" });
    input.value = current();
    return [input];
  };
  const send = async ([input]) => {
    const answer = await ask("/api/name", { source, ...what, name: input.value });
    done(answer.name ?? "");
  };
  return folded(() => (current() ? "Rename" : "Name it"), field, send);
}
