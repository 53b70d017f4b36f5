// The day of each source as a line of time: matches, sounds a minute, what was heard and what was not.

import { Asker, byId, draw, make, nameOf, say, timeOf } from "./elements.js";

const WIDTH = 1440;
const HEIGHT = 74;
const MATCH = { y: 6, height: 30 };
const SOUNDS = { y: 72, height: 30 };
const AWAY = new Set(["stalled", "reconnecting", "failed"]);
const EVERY_MS = 60000;

export class Day {
  #clock;
  #shown = null; // beginning of the day
  #asker = new Asker();
  #stored = false;
  #timer = 0;
  #chosen;
  #names;

  /** chosen(airing): somebody pointed at one. */
  constructor(clock, names, chosen) {
    this.#clock = clock;
    this.#names = names;
    this.#chosen = chosen;
    byId("date").addEventListener("change", () => this.#go(byId("date").valueAsDate && localDay(byId("date").value)));
    byId("day-before").addEventListener("click", () => this.#step(-1));
    byId("day-after").addEventListener("click", () => this.#step(1));
    setInterval(() => this.#isToday() && !document.hidden && this.load(), EVERY_MS);
  }

  begin(stored) {
    this.#stored = stored;
    if (!stored) byId("timeline").replaceChildren(make("p", { class: "note" }, "Nothing is kept: start the listener with --state DIR, and days and history are here."));
    else this.load();
  }

  /** Load anew in a moment, once for all news. */
  soon() {
    if (!this.#stored || !this.#isToday()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.load(), 1500);
  }

  #today() {
    const day = new Date(this.#clock());
    day.setHours(0, 0, 0, 0);
    return day;
  }

  #isToday() {
    return this.#stored && (this.#shown === null || this.#shown.getTime() === this.#today().getTime());
  }

  #step(days) {
    const day = new Date(this.#shown ?? this.#today());
    day.setDate(day.getDate() + days);
    this.#go(day);
  }

  #go(day) {
    if (!day || day > this.#today()) day = this.#today();
    this.#shown = day.getTime() === this.#today().getTime() ? null : day;
    if (this.#stored) this.load();
  }

  async load() {
    const begin = this.#shown ?? this.#today();
    const end = new Date(begin);
    end.setDate(end.getDate() + 1); // days of 23 and 25 hours, too
    byId("date").value = isoDay(begin);
    byId("date").max = isoDay(this.#today());
    byId("day-after").disabled = this.#shown === null;
    say(byId("day-h"), this.#shown === null ? "Today" : begin.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" }));
    const query = new URLSearchParams({ from: begin.toISOString(), to: end.toISOString() });
    try {
      const told = await this.#asker.ask(`/api/day?${query}`);
      if (told) this.#draw(told, begin.getTime(), end.getTime());
    } catch (error) {
      byId("timeline").replaceChildren(make("p", { class: "note" }, error.message));
    }
  }

  #draw(told, begin, end) {
    const names = Object.keys(told.sources);
    if (!names.length) {
      byId("timeline").replaceChildren(make("p", { class: "note" }, "Nothing was heard on this day."));
      return;
    }
    const tip = make("p", { class: "tip", "aria-hidden": "true" });
    const most = Math.max(10, ...names.flatMap((name) => told.sources[name].sounds.map((minute) => minute[1])));
    const rows = names.flatMap((name) => {
      const airings = told.airings.filter((one) => one.source === name);
      return [make("h3", {}, this.#names.ofSource(name)), this.#row(name, told.sources[name], airings, begin, end, most, tip)];
    });
    byId("timeline").replaceChildren(...rows, axis(begin, end), tip);
  }

  #row(name, source, airings, begin, end, most, tip) {
    const x = (moment) => (WIDTH * (Math.max(begin, Math.min(end, moment)) - begin)) / (end - begin);
    const bar = (kind, from, to, y, height) =>
      draw("rect", { class: kind, x: x(from).toFixed(2), y, width: Math.max(0.8, x(to) - x(from)).toFixed(2), height });
    const now = this.#clock();
    const heard = source.states
      .filter(([, , state]) => state === "running" || AWAY.has(state))
      .map(([from, to, state]) => bar(AWAY.has(state) ? "away" : "heard", from, Math.min(to, now), 0, HEIGHT));
    const sounds = source.sounds.map(([minute, count]) => {
      const height = SOUNDS.height * Math.sqrt(count / most);
      return bar("sound", minute, minute + 60000, (SOUNDS.y - height).toFixed(2), height.toFixed(2));
    });
    const matches = airings.map((one, place) => {
      const from = Date.parse(one.started);
      const to = one.ended ? Date.parse(one.ended) : now;
      const rect = bar(`match ${one.kind}${place % 2 ? " second" : ""}`, from, to, MATCH.y, MATCH.height);
      const words = `${timeOf(from)} ${nameOf(one.track)}`;
      rect.append(draw("title", {}, words));
      rect.addEventListener("pointerenter", () => say(tip, words));
      rect.addEventListener("click", () => this.#chosen(one));
      return rect;
    });
    const line = now > begin && now < end ? [draw("line", { class: "now", x1: x(now), x2: x(now), y1: 0, y2: HEIGHT })] : [];
    const label = `${this.#names.ofSource(name)}: ${airings.length} ${airings.length === 1 ? "match" : "matches"}, ${source.sounds.reduce((sum, one) => sum + one[1], 0)} sounds; the history below lists the matches`;
    return draw(
      "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      draw("rect", { class: "none", x: 0, y: 0, width: WIDTH, height: HEIGHT }), ...heard, ...sounds, ...matches, ...line,
    );
  }
}

function axis(begin, end) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => make("span", {}, share === 1 ? "24:00" : timeOf(begin + share * (end - begin))));
  return make("div", { class: "axis", "aria-hidden": "true" }, ...marks);
}

const two = (number) => String(number).padStart(2, "0");
const isoDay = (day) => `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;

function localDay(text) {
  const [year, month, day] = text.split("-").map(Number);
  return new Date(year, month - 1, day);
}
