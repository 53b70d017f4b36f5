// How the listener is: its own account of it, where it gives one, and the last word of each source.

import { ago, ask, byId, clocked, dayAndTime, make, nameOf } from "./elements.js";

const EVERY_MS = 10000;

const seconds = (value) => `${Number(value).toFixed(1)} s`;
const plain = (value) => String(value);

// What is shown of an account: its key, what it is called, and how it is written.
const OF_SOURCE = [
  ["uri", "source", plain], ["hint", "hint", plain], ["audio_s", "analysed", clocked], ["real_time_factor", "CPU for a second", seconds3],
  ["queue_s", "waiting", seconds], ["overruns", "overruns", plain], ["reconnects", "reconnects", plain], ["matches", "matches", plain],
  ["sounds", "sounds", plain], ["onsets_suppressed", "sounds not told", plain], ["last_match", "last match", (match) => nameOf(match.track)],
  ["best_candidate_score", "best that was not enough", (score) => score.toFixed(1)],
];
const OF_SINK = [
  ["connected", "connected", yesOrNo], ["waiting", "waiting", plain], ["delivered", "delivered", plain], ["dropped", "given up", plain],
  ["set_aside", "set aside", plain], ["publish_delay_s", "delay", seconds3],
];
const OF_STORE = [["path", "file", plain], ["trouble", "trouble", plain], ["unsaved", "not written yet", plain], ["megabytes", "size", (size) => `${size.toFixed(1)} MB`]];
const OF_INDEX = [["name", "folder", plain], ["generation", "generation", plain], ["tracks", "tracks", plain], ["trouble", "trouble", plain]];
const OF_LISTENER = [["version", "version", plain], ["uptime_s", "running for", clocked], ["ok", "all is well", yesOrNo]];

export class Health {
  #clock;
  #control = false;
  #status = new Map();
  #account = {};

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
    if (this.#control) this.#account = await ask("/api/health").catch((error) => ({ troubles: [error.message] }));
    this.#render();
  }

  #render() {
    const { sources = [], sinks = [], store, index, troubles = [], ...listener } = this.#account;
    const accounts = new Map(Array.isArray(sources) ? sources.map((one) => [one.source, one]) : Object.entries(sources));
    byId("vitals").replaceChildren(
      ...troubles.map((sentence) => make("p", { class: "wrong trouble" }, sentence)),
      ...[...this.#status].filter(([, told]) => told).map(([name, told]) => this.#source(told, accounts.get(name))),
      ...box("Listener", listener, OF_LISTENER),
      ...sinks.flatMap((sink) => box(sink.sink, sink, OF_SINK)),
      ...box("Store", store, OF_STORE),
      ...box("Index", index, OF_INDEX),
    );
  }

  #source(told, account) {
    const lines = [
      ["state", [told.state, told.reason].filter(Boolean).join(": ")],
      ["since", account?.since ? dayAndTime(account.since) : ""],
      ["last audio", told.last_audio_at ? ago(this.#clock() - Date.parse(account?.last_audio_at ?? told.last_audio_at)) : "none"],
      ...chosen(account, OF_SOURCE),
      ["lost by overrun", seconds(told.dropped_s)],
      ["lost in outages", seconds(told.outage_s)],
    ];
    return make("div", {}, make("h3", {}, told.source_name || told.source), list(lines));
  }
}

function seconds3(value) {
  return `${value.toFixed(3)} s`;
}

function yesOrNo(value) {
  return value ? "yes" : "no";
}

const chosen = (account, lines) =>
  lines.filter(([key]) => account?.[key] !== null && account?.[key] !== undefined).map(([key, label, shown]) => [label, shown(account[key])]);

function box(title, account, lines) {
  const found = chosen(account, lines);
  return found.length ? [make("div", {}, make("h3", {}, title), list(found))] : [];
}

const list = (lines) => make("dl", {}, ...lines.filter(([, value]) => value !== "").flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]));
