// Why a match was claimed: its evidence in words and numbers.

import { clocked, make, nameOf, percent } from "./elements.js";

/** One sentence for each piece of evidence. */
export function reasons(match) {
  const evidence = match.evidence;
  const said = [
    `Its score is ${match.score.toFixed(1)}: so many deviations above what unrelated music reaches. ${chance(match.false_alarms_per_hour)}`,
    `It agrees with the reference by ${evidence.similarity.toFixed(2)} along its line; 0 is chance, 1 is the same.`,
    `It explains ${percent(evidence.coverage)} of the stretch that was heard.`,
    `Votes for this place: ${evidence.faiss_votes} by nearest codes (FAISS), ${evidence.lsh_votes} by shared buckets (LSH).`,
  ];
  if (evidence.runner_up) {
    said.push(`Next best is ${nameOf(evidence.runner_up.track)}, with a score of ${evidence.runner_up.score.toFixed(1)}.`);
  } else {
    said.push("No other track came near.");
  }
  if (evidence.same_recording?.length) said.push(`The same recording is also listed as ${evidence.same_recording.map(nameOf).join(", ")}.`);
  if (evidence.same_work?.length) said.push(`The same music is also in ${evidence.same_work.map(nameOf).join(", ")}.`);
  if (evidence.repeats_s?.length) said.push(`It sounds the same at ${evidence.repeats_s.map(clocked).join(", ")}: the place may be one of these.`);
  if (match.kind === "version") said.push("It is the same piece in another recording, as far as is known.");
  if (Math.abs(match.speed - 1) >= 0.002) said.push(`It runs at ${match.speed.toFixed(3)} times the speed of the reference.`);
  if (match.semitones) said.push(`It sounds ${Math.abs(match.semitones)} semitones ${match.semitones > 0 ? "higher" : "lower"}.`);
  return said;
}

export const why = (match) => make("ul", {}, ...reasons(match).map((sentence) => make("li", {}, sentence)));

function chance(perHour) {
  if (!(perHour > 0)) return "Unknown music does not reach it.";
  const hours = 1 / perHour;
  return `Unknown music reaches it about once in ${span(hours)}.`;
}

function span(hours) {
  if (hours < 2) return `${Math.max(1, Math.round(60 * hours))} minutes`;
  if (hours < 48) return `${Math.round(hours)} hours`;
  const years = hours / 8766;
  if (years < 2) return `${Math.round(hours / 24)} days`;
  return years < 1000 ? `${Math.round(years)} years` : "more than a thousand years";
}
