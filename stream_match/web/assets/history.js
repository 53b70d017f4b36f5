// The history: searched, filtered, and each match with the reason why it was claimed.

import { Asker, byId, clocked, make, percent, player, say, stamped, titleOf } from "./elements.js";
import { markingClip } from "./marks.js";
import { naming } from "./names.js";
import { spectrum } from "./spectrum.js";
import { why } from "./why.js";

const PART = 50;

export class History {
  #stored = false;
  #clips = false;
  #control = false;
  #shown = 0;
  #asker = new Asker();
  #timer = 0;
  #names;

  constructor(names) {
    this.#names = names;
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("input", () => this.#soon(250));
    byId("more").addEventListener("click", () => this.#load(this.#shown));
  }

  begin(state) {
    this.#stored = state.history;
    this.#clips = state.clips;
    this.#control = state.control;
    for (const part of ["filters", "csv"]) byId(part).hidden = !state.history;
    for (const source of Object.keys(state.sources)) this.offer(source);
    if (state.history) this.#load();
    else say(byId("found"), "Nothing is kept: start the listener with --state DIR. What happens is listed above, while the page is open.");
  }

  /** A match began or ended: show it, unless somebody reads far down. */
  soon() {
    if (this.#shown <= PART && !byId("airings").querySelector("details[open]")) this.#soon(1500);
  }

  /** Show the match that somebody pointed at. */
  async find(airing) {
    byId("q").value = titleOf(airing.track);
    byId("range").value = "";
    await this.#load();
    const line = byId("airings").querySelector(`[data-match="${CSS.escape(airing.told.match_id)}"]`);
    line?.setAttribute("open", "");
    (line?.querySelector("summary") ?? byId("q")).focus();
  }

  /** Let a source be chosen. */
  offer(source) {
    const known = [...byId("of-source").options].some((option) => option.value === source);
    if (!known) byId("of-source").append(make("option", { value: source }, this.#names.ofSource(source)));
  }

  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), wait);
  }

  #query() {
    const query = new URLSearchParams();
    const days = Number(byId("range").value);
    if (days) {
      const from = new Date();
      from.setHours(0, 0, 0, 0);
      from.setDate(from.getDate() - days + 1);
      query.set("from", from.toISOString());
    }
    for (const [key, id] of [["q", "q"], ["source", "of-source"], ["kind", "of-kind"]]) {
      const value = byId(id).value.trim();
      if (value) query.set(key, value);
    }
    return query;
  }

  async #load(offset = 0) {
    if (!this.#stored) return;
    const query = this.#query();
    byId("csv").href = `/api/history.csv?${query}`;
    query.set("offset", offset);
    query.set("limit", PART);
    try {
      const found = await this.#asker.ask(`/api/history?${query}`);
      if (!found) return; // somebody has typed on
      const { total, airings } = found;
      this.#shown = offset + airings.length;
      const lines = airings.map((one) => make("li", {}, this.#line(one)));
      if (offset) byId("airings").append(...lines);
      else byId("airings").replaceChildren(...lines);
      byId("more").hidden = this.#shown >= total;
      say(byId("found"), total === 1 ? "1 match" : `${total || "no"} matches`);
    } catch (error) {
      say(byId("found"), error.message);
    }
  }

  #line(airing) {
    const told = airing.told;
    const what = make("span", { class: "what" }, make("b", {}, airing.name || titleOf(airing.track)), airing.track.artist ? ` – ${airing.track.artist}` : "", this.#place(airing.source));
    const line = make(
      "details", { "data-match": told.match_id },
      make("summary", {}, make("span", { class: "when" }, stamped(airing.started)), what, make("span", { class: "long" }, airing.ended ? clocked(airing.seconds) : "goes on")),
    );
    line.addEventListener("toggle", () => line.open && line.childElementCount === 1 && line.append(this.#rest(airing)), { once: true });
    return line;
  }

  /** Where it was heard, unless there is one source only. */
  #place(source) {
    const [, first, ...others] = byId("of-source").options;
    return first?.value === source && !others.length ? null : make("span", { class: "quiet" }, ` on ${this.#names.ofSource(source)}`);
  }

  #rest(airing) {
    const told = airing.told;
    const facts = [
      `${percent(airing.confidence)} sure, on ${this.#names.ofSource(airing.source)}${airing.kind === "version" ? ", another version" : ""}.`,
      airing.track.album ? `Album: ${airing.track.album}.` : "",
      airing.stream_title ? `The stream said: ${airing.stream_title}.` : "",
      airing.reason ? `It ended because ${airing.reason}.` : "",
    ].filter(Boolean);
    const parts = [make("p", {}, facts.join(" ")), why(told)];
    const clip = this.#clips && clipOf(told);
    if (clip) parts.push(player(clip, "What was heard"), spectrum(clip));
    if (clip && this.#control) parts.push(markingClip(airing.source, told.clip));
    if (this.#control) {
      let name = airing.name ?? "";
      parts.push(naming(airing.source, { track: airing.track.id }, () => name, (given) => { name = given; }));
    }
    return make("div", { class: "rest" }, ...parts);
  }
}

/** The address of the audio that was kept of an event. */
export function clipOf(event) {
  return event.clip ? `/clips/${event.clip.split("/").map(encodeURIComponent).join("/")}` : null;
}
