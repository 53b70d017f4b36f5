// Elements and words. Whatever comes from outside goes in as text: nothing here makes markup of it.

export const byId = (id) => document.getElementById(id);

/** Make an element: its class, its attributes, what is in it (elements or text). */
export function make(tag, given = {}, ...inside) {
  const { class: name, ...rest } = given;
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(rest)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...inside.filter((one) => one !== null && one !== undefined && one !== ""));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function draw(tag, given = {}, ...inside) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(given)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

/** Set a text only where it has changed: screen readers tell every change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function clocked(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });

export const timeOf = (moment) => TIME.format(new Date(moment));

export function dayAndTime(moment) {
  const at = new Date(moment);
  return at.toDateString() === new Date().toDateString() ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

export function ago(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

export function stamped(moment, words = dayAndTime(moment)) {
  return make("time", { datetime: new Date(moment).toISOString() }, words);
}

/** Certainty is never claimed. */
export const percent = (chance) => `${Math.min(99, Math.round(100 * chance))} %`;

export function sureness(chance) {
  if (chance >= 0.99) return "very sure";
  if (chance >= 0.9) return "sure";
  return chance >= 0.6 ? "fairly sure" : "a guess";
}

export const titleOf = (track) => track.title || track.id;

export const nameOf = (track) => [titleOf(track), track.artist].filter(Boolean).join(" – ");

/** A player of audio that may have been deleted since. */
export function player(address, label) {
  const audio = make("audio", { controls: true, preload: "none", src: address, "aria-label": label });
  audio.addEventListener("error", () => audio.replaceWith(make("p", { class: "quiet" }, "This clip is not there (any more).")));
  return audio;
}

/** Ask the listener; the answer is an object, and what went wrong an Error with one sentence. */
export async function ask(path, told) {
  const options = told && {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(told),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The listener does not answer.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error || `The listener answers ${answer.status}.`);
  return content;
}

/** Asks one question at a time: what nobody waits for any more is not asked. */
export class Asker {
  #asked = 0;
  #answered = Promise.resolve();

  /** Return the answer; null if something else was asked meanwhile. */
  async ask(path) {
    const turn = ++this.#asked;
    await this.#answered;
    if (turn !== this.#asked) return null;
    const answer = ask(path);
    this.#answered = answer.catch(() => null);
    const told = await answer.catch((error) => error);
    if (turn !== this.#asked) return null;
    if (told instanceof Error) throw told;
    return told;
  }
}
