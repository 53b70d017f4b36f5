// A card for each source: what is playing, where in it we are, or that it is not known.

import { ask, byId, clocked, make, nameOf, percent, say, sureness, timeOf, titleOf } from "./elements.js";
import { ChromaPicture } from "./chroma.js";
import { markingLast } from "./marks.js";
import { why } from "./why.js";

const FRESH_MS = 180000; // what unknown music resembles is told once a minute
const KINDS_SHOWN = 6;
const SILENT_DBFS = -70;

const STATES = {
  starting: "Opening the source …",
  stalled: "Nothing arrives.",
  reconnecting: "The source is lost; trying again.",
  paused: "Paused.",
  failed: "The source has failed.",
  stopped: "The source has ended.",
};

export class Now {
  #cards = new Map();
  #clock;
  #control = false;
  #held = 0; // seconds of each source that may be marked
  #names;

  constructor(clock, names) {
    this.#clock = clock;
    this.#names = names;
    setInterval(() => this.#tick(), 250);
  }

  /** Everything that is true now. */
  begin(state) {
    this.#control = state.control;
    this.#held = state.held_s;
    const sources = Object.entries(state.sources);
    for (const name of this.#cards.keys()) if (!(name in state.sources)) this.#drop(name);
    if (sources.length && !this.#cards.size) byId("sources").replaceChildren();
    for (const [name, told] of sources) this.#card(name).begin(told);
    this.#arrange();
  }

  hear(event) {
    this.#card(event.source).hear(event);
    this.#arrange();
  }

  show(piece) {
    this.#cards.get(piece.source)?.show(piece);
  }

  #card(name) {
    if (!this.#cards.has(name)) {
      if (!this.#cards.size) byId("sources").replaceChildren();
      const card = new Card(name, this.#clock, this.#names, this.#control, this.#held);
      this.#cards.set(name, card);
      byId("sources").append(card.element);
      card.start();
    }
    return this.#cards.get(name);
  }

  #drop(name) {
    this.#cards.get(name).element.remove();
    this.#cards.delete(name);
  }

  #arrange() {
    byId("sources").classList.toggle("many", this.#cards.size > 1);
    const playing = [...this.#cards.values()].map((card) => card.playing).filter(Boolean);
    document.title = playing.length ? `♪ ${playing.join(" · ")}` : "stream_match";
  }

  #tick() {
    for (const card of this.#cards.values()) card.tick();
  }
}

class Card {
  #name;
  #clock;
  #names;
  #matches = new Map();
  #status = null;
  #like = null;
  #genre = null;
  #kinds = [];
  #level = null;
  #levelAt = 0;
  #picture = null;
  #explained = "";
  #parts;

  constructor(name, clock, names, control, held) {
    this.#name = name;
    this.#clock = clock;
    this.#names = names;
    const part = {
      label: make("h2", {}, name),
      state: make("span"),
      level: make("span", { class: "level", role: "meter", "aria-label": "Level", "aria-valuemin": -60, "aria-valuemax": 0 }, make("i")),
      pause: make("button", { type: "button", hidden: !control }, "Pause"),
      title: make("p", { class: "title" }),
      artist: make("p", { class: "artist" }),
      place: make("span", { class: "place" }),
      sure: make("span", { class: "sure" }),
      speed: make("span"),
      also: make("p", { class: "also", hidden: true }),
      like: make("p", { class: "like", hidden: true }),
      stream: make("p", { class: "also", hidden: true }),
      why: make("details", { class: "why", hidden: true }, make("summary", {}, "Why?")),
      ask: make("button", { type: "button", class: "plain", hidden: true }, "What came near?"),
      near: make("div", { class: "near", role: "status" }),
      mark: make("div", { class: "marking", hidden: true }, control && held > 0 ? markingLast(name, held) : null),
      kinds: make("ul", { class: "heard-now", "aria-label": "Sounds heard last" }),
      canvas: make("canvas", {
        class: "chroma", role: "img",
        "aria-label": "Rolling chroma: how strongly each of the twelve pitch classes sounds, over the last 24 seconds",
      }),
    };
    this.#parts = part;
    part.told = make("div", { "aria-live": "polite" }, part.title, part.artist);
    part.facts = make("p", { class: "facts" }, part.place, part.sure, part.speed);
    this.element = make(
      "article", { class: "source", "aria-label": name, "data-source": name },
      make(
        "div", { class: "words" },
        make("div", { class: "over" }, part.label, part.state, part.level, part.pause),
        part.told, part.facts, part.also, part.like, part.stream, part.why,
        make("p", {}, part.ask), part.near, part.mark, part.kinds,
      ),
      part.canvas,
    );
    part.ask.addEventListener("click", () => this.#askWhatCameNear());
    part.pause.addEventListener("click", () => this.#pause());
  }

  start() {
    this.#picture = new ChromaPicture(this.#parts.canvas, this.#clock);
  }

  /** What is playing, if something is. */
  get playing() {
    const match = this.#main();
    return match ? titleOf(match.track) : null;
  }

  begin(told) {
    this.#matches = new Map(told.matches.map((match) => [match.match_id, match]));
    this.#status = told.status;
    this.#like = told.sounds_like;
    this.#genre = told.genre;
    this.#kinds = told.kinds.slice(-KINDS_SHOWN).map((kind) => kind);
    this.#render();
  }

  hear(event) {
    if (event.type === "match") {
      if (event.phase === "ended") this.#matches.delete(event.match_id);
      else this.#matches.set(event.match_id, event);
    } else if (event.type === "status") this.#status = event;
    else if (event.type === "sounds_like") this.#like = event;
    else if (event.type === "genre") this.#genre = event;
    else if (event.type === "onset_cluster") {
      this.#kinds = [...this.#kinds.filter((kind) => kind.cluster_id !== event.cluster_id), event].slice(-KINDS_SHOWN);
      this.#renderKinds(event.cluster_id);
      return;
    }
    this.#render();
  }

  show(piece) {
    this.#level = piece.level_dbfs;
    this.#levelAt = Date.now();
    this.#picture?.hear(piece);
  }

  tick() {
    const { level, place } = this.#parts;
    const known = this.#level !== null && Date.now() - this.#levelAt < 3000;
    const shown = known ? Math.max(0, Math.min(1, (this.#level + 60) / 60)) : 0;
    level.firstChild.style.transform = `scaleX(${shown.toFixed(3)})`;
    level.setAttribute("aria-valuenow", known ? Math.round(Math.max(-60, this.#level)) : -60);
    level.setAttribute("aria-valuetext", known ? `${Math.round(this.#level)} dBFS` : "nothing is heard");
    const match = this.#main();
    if (match) say(place, `at ${clocked(this.#placeOf(match))}`);
    else if (this.#status?.state === "running") this.#renderUnknown();
  }

  /** Where in the reference we are: it went on since that was told. */
  #placeOf(match) {
    const since = Math.max(0, this.#clock() - Date.parse(match.time)) / 1000;
    return match.reference_s + since * match.speed;
  }

  #main() {
    const matches = [...this.#matches.values()];
    return matches.sort((a, b) => (a.kind === "version") - (b.kind === "version") || b.score - a.score)[0];
  }

  #render() {
    const { label, state, pause, also, stream, facts, mark, why: details } = this.#parts;
    const match = this.#main();
    const told = this.#status;
    say(label, told?.source_name || this.#name);
    say(state, told?.state === "running" ? "" : (told?.state ?? ""));
    say(pause, told?.state === "paused" ? "Go on" : "Pause");
    facts.hidden = details.hidden = !match;
    mark.hidden = told?.state !== "running";
    if (match) this.#renderMatch(match);
    else this.#renderUnknown();
    const others = [...this.#matches.values()].filter((one) => one !== match);
    also.hidden = !others.length;
    say(also, `Also: ${others.map((one) => nameOf(one.track)).join("; ")}`);
    const title = told?.stream_metadata?.StreamTitle;
    stream.hidden = !title;
    say(stream, title ? `The stream says: ${title}` : "");
    this.#renderKinds();
  }

  #renderMatch(match) {
    const { title, artist, sure, speed, like, ask: button, near, why: details } = this.#parts;
    title.classList.remove("unknown");
    say(title, match.name || titleOf(match.track));
    say(artist, [match.name ? titleOf(match.track) : "", match.track.artist, match.kind === "version" ? "another version" : ""].filter(Boolean).join(" · "));
    sure.replaceChildren(make("b", {}, sureness(match.confidence)), ` (${percent(match.confidence)})`);
    say(speed, Math.abs(match.speed - 1) >= 0.005 ? `${match.speed.toFixed(2)} × speed` : "");
    like.hidden = true;
    button.hidden = true;
    near.replaceChildren();
    const version = `${match.event_id}`;
    if (this.#explained !== version) {
      this.#explained = version;
      details.replaceChildren(make("summary", {}, "Why?"), why(match));
    }
    this.tick();
  }

  #renderUnknown() {
    const { title, artist, like, ask: button } = this.#parts;
    const told = this.#status;
    title.classList.add("unknown");
    const running = told?.state === "running";
    button.hidden = !(running && !this.#parts.pause.hidden);
    if (!running) {
      say(title, STATES[told?.state] ?? "Waiting …");
      say(artist, [told?.reason, told?.hint].filter(Boolean).join(" "));
      like.hidden = true;
      return;
    }
    const level = this.#level ?? told.level_dbfs;
    const silent = level !== null && level <= SILENT_DBFS;
    say(title, silent ? "Silence." : "I do not know this.");
    say(artist, told.hint ?? "");
    const words = silent ? [] : this.#resemblance();
    like.hidden = !words.length;
    say(like, words.join(" "));
  }

  #resemblance() {
    const fresh = (event) => event && this.#clock() - Date.parse(event.time) < FRESH_MS;
    const words = [];
    if (fresh(this.#like) && this.#like.tracks.length) {
      words.push(`It sounds like ${this.#like.tracks.slice(0, 3).map(nameOf).join(", ")}.`);
    }
    if (fresh(this.#genre)) {
      const { genre, probability, runner_up: second } = this.#genre;
      words.push(genre === "unsure" ? `Its genre is not clear; perhaps ${second}.` : `Its genre may be ${genre} (${percent(probability)}).`);
    }
    return words;
  }

  #renderKinds(heard = null) {
    this.#parts.kinds.replaceChildren(
      ...this.#kinds.map((kind) => {
        const name = this.#names.of(this.#name, kind.cluster_id, kind.name);
        return make("li", { class: kind.cluster_id === heard ? "new" : "", title: `heard at ${timeOf(kind.time)}` }, `${name} × ${kind.cluster_size}`);
      }),
    );
  }

  async #askWhatCameNear() {
    const { near } = this.#parts;
    near.replaceChildren("…");
    try {
      const { candidates } = await ask(`/api/candidates?source=${encodeURIComponent(this.#name)}`);
      near.replaceChildren(
        candidates.length
          ? make("ol", {}, ...candidates.map((one) => make("li", {}, candidate(one))))
          : "Nothing in the index came near.",
      );
    } catch (error) {
      near.replaceChildren(error.message);
    }
  }

  async #pause() {
    try {
      await ask("/api/pause", { source: this.#name, paused: this.#status?.state !== "paused" });
    } catch (error) {
      this.#parts.near.replaceChildren(error.message);
    }
  }
}

function candidate(one) {
  const name = one.track ? nameOf(one.track) : String(one.title ?? one.id ?? "a track");
  const score = typeof one.score === "number" ? ` (score ${one.score.toFixed(1)})` : "";
  return `${name}${score}${one.why ? `: ${one.why}` : ""}`;
}
