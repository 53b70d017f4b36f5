// A button that becomes a form in its place, and a button again when that is sent or left.

import { make } from "./elements.js";

/**
 * Make it.
 *
 * words: what the button says. fields: makes what stands in the form, anew each time. send: sends it, given
 * those fields; returns a sentence to be told, or nothing. What it throws is told, and the form stays.
 */
export function folded(words, fields, send) {
  const holder = make("div");
  const said = make("p", { class: "quiet", role: "status" });
  const rest = () => {
    const button = make("button", { type: "button", class: "plain" }, words());
    button.addEventListener("click", open);
    holder.replaceChildren(button, said);
    return button;
  };
  const open = () => {
    const inside = fields();
    const wrong = make("p", { class: "wrong", role: "alert" });
    const form = make("form", { class: "folded" }, ...inside, make("button", {}, "Save"));
    form.addEventListener("keydown", (event) => event.key === "Escape" && rest().focus());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const sentence = await send(inside);
        rest().focus();
        said.textContent = sentence ?? "";
      } catch (error) {
        wrong.textContent = error.message;
      }
    });
    said.textContent = "";
    holder.replaceChildren(form, wrong);
    inside[0].focus();
  };
  rest();
  return holder;
}
