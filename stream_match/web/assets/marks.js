// "Find this ever after": what was heard becomes a reference of the index.

import { ask, make } from "./elements.js";
import { folded } from "./folded.js";

const LONGEST_NAME = 200;
const SHORTEST_S = 3;
const USUAL_S = 10;

/** A button for a clip. */
export const markingClip = (source, clip) => marking(source, [], () => ({ clip }));

/** A button for the last seconds of a source, of which at most `held` are held. */
export function markingLast(source, held) {
  const last = make("input", {
    type: "number", min: SHORTEST_S, max: Math.floor(held), step: 1, required: true, "aria-label": "How many of the last seconds",
  });
  last.value = Math.min(USUAL_S, Math.floor(held));
  return marking(source, ["the last ", last, " s"], () => ({ last_seconds: Number(last.value) }));
}

function marking(source, more, what) {
  const name = () => make("input", { "aria-label": "Title", placeholder: "Title", maxlength: LONGEST_NAME, autocomplete: "off", required: true });
  const send = async ([title]) => {
    const answer = await ask("/api/mark", { source, name: title.value, ...what() });
    return `${answer.title} is found from now on.`;
  };
  return folded(() => "Find this ever after", () => [name(), ...more], send);
}
