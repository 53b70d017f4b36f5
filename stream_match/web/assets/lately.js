// What has happened since the page was opened, also while its connection was cut.

import { byId, clocked, make, nameOf, stamped, timeOf } from "./elements.js";

const MOST = 12;

export class Lately {
  #seen = new Set();
  #lines = new Map(); // match id or event id → line

  /** Where a history is kept, it is told here only once something happens. */
  begin(stored) {
    byId("lately").hidden = stored && !this.#lines.size;
  }

  hear(event) {
    if (this.#seen.has(event.event_id)) return;
    const line = this.#line(event);
    if (!line) return;
    this.#seen.add(event.event_id);
    const key = event.match_id ?? event.event_id;
    this.#lines.get(key)?.remove();
    this.#lines.delete(key);
    const element = make("li", {}, stamped(event.time, timeOf(event.time)), make("span", {}, line));
    this.#lines.set(key, element);
    byId("happenings").prepend(element);
    byId("no-happenings").hidden = true;
    byId("lately").hidden = false;
    if (this.#lines.size > MOST) {
      const [oldest, gone] = this.#lines.entries().next().value;
      gone.remove();
      this.#lines.delete(oldest);
    }
    if (this.#seen.size > 1000) this.#seen = new Set([...this.#seen].slice(-500));
  }

  #line(event) {
    const where = event.source_name || event.source;
    if (event.type === "match") {
      if (event.phase === "started") return `${nameOf(event.track)} began on ${where}.`;
      if (event.phase !== "ended") return null;
      const heard = clocked((event.ended_s ?? event.stream_s) - event.started_s);
      return `${nameOf(event.track)} ended on ${where} after ${heard}${event.reason ? ` (${event.reason})` : ""}.`;
    }
    if (event.type === "status") {
      if (event.state === "running" && !event.reason) return null;
      return `${where} is ${event.state}${event.reason ? `: ${event.reason}` : ""}.`;
    }
    if (event.type === "cluster" && event.change === "created") return `A kind of sound that is new on ${where}.`;
    return null;
  }
}
