// What sources and kinds of sounds are called, and the form that names them.

import { ask, make } from "./elements.js";

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

/** A button that becomes a form in its place. */
export function naming(source, what, current, done) {
  const holder = make("div");
  const rest = () => {
    const button = make("button", { type: "button", class: "plain" }, current() ? "Rename" : "Name it");
    button.addEventListener("click", open);
    holder.replaceChildren(button);
    return button;
  };
  const open = () => {
    const input = make("input", { "aria-label": "Name", maxlength: LONGEST_NAME, autocomplete: "off" });
    input.value = current();
    const told = make("p", { class: "wrong", role: "alert" });
    const form = make("form", { class: "naming" }, input, make("button", {}, "Save"));
    form.addEventListener("keydown", (event) => event.key === "Escape" && rest().focus());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const answer = await ask("/api/name", { source, ...what, name: input.value });
        done(answer.name ?? "");
        rest().focus();
      } catch (error) {
        told.textContent = error.message;
      }
    });
    holder.replaceChildren(form, told);
    input.focus();
  };
  rest();
  return holder;
}
