// The page: one stream of events, and the parts that show them.

import { byId, say } from "./elements.js";
import { Day } from "./day.js";
import { Health } from "./health.js";
import { History } from "./history.js";
import { Lately } from "./lately.js";
import { Live } from "./live.js";
import { Names } from "./names.js";
import { Now } from "./now.js";
import { Sounds } from "./sounds.js";

let live = null;
const clock = () => (live ? live.now() : Date.now());
const names = new Names();
const now = new Now(clock, names);
const lately = new Lately();
const history = new History(names);
const day = new Day(clock, names, (airing) => history.find(airing));
const sounds = new Sounds(clock, names);
const health = new Health(clock);

live = new Live({
  now(state) {
    say(byId("node"), state.node);
    byId("report").hidden = !state.report;
    for (const [source, told] of Object.entries(state.sources)) names.entitle(source, told.status?.source_name);
    now.begin(state);
    lately.begin(state.history);
    sounds.begin(state);
    history.begin(state);
    day.begin(state.history);
    health.begin(state);
  },
  told(event, isPast) {
    if (!isPast) {
      names.entitle(event.source, event.source_name);
      history.offer(event.source);
      now.hear(event);
      health.hear(event);
    }
    sounds.hear(event);
    lately.hear(event);
    if (event.type === "match" && event.phase !== "updated") {
      day.soon();
      history.soon();
    }
  },
  chroma: (piece) => now.show(piece),
  link(isLive) {
    byId("link").classList.toggle("live", isLive);
    say(byId("link"), isLive ? "live" : "connection lost; trying again");
  },
});
