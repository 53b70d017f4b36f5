"""The numbers that matching is tuned by, in seconds, hours, shares and scores.

Each says what it is, what raising it does ("higher"), and where it was measured, if anywhere.
"""

# Query and windows. Used in `recording/`; and in most other rooms.
SHIFT_STEP_SEMITONES = 0.5
"""Between shifts; half of it is told by the speed of a turntable. Higher: less work, less found."""
MOST_SHIFT_SEMITONES = 2.0
"""Farthest shift; uploads and mixes are moved by one or two semitones. Higher: more work, more chance."""
SHORTEST_WINDOW_S = 1.115
"""Shortest length compared; others double. Held chords agree over less than two, performances up to the
third. Higher: jingles are lost."""
LONGEST_WINDOW_S = 14.9
"""Longest length compared (deep noise), and how long votes and performances are kept. Higher: more memory."""
LARGEST_CORRELATION = 0.98
"""Bound of correlations, as Fisher's z has none. Higher: perfect ones score more."""

# Votes. Used in `recording/proposals`.
SEARCHED_SHARE = 0.5
"""Of the frames searched at shift 0, and at all others together. Higher: more work."""
LSH_VOTE = 0.25
"""Weight of an LSH vote; an equal neighbour has 1. Higher: chroma counts more."""
VOTE_HALF_LIFE_S = 6.0
"""Time in which a vote fades to half. Higher: steadier, slower to change."""
LEAST_VOTES = 0.15
"""Weight below which an offset bin is dropped; most are chance. Higher: less memory."""
BINS = 64
"""Offset bins verified at shift 0, and decoys. Higher: more work, more background scores."""
SHIFTED_BINS = 6
"""At each other shift; with 4 a false claim of 8.8, with 6 7.8 (docs/recordings.md). Higher: more work."""
BINS_PER_TRACK = 3
"""Offset bins of a track at one shift; twice as many of copies. Higher: less room for others."""

# Verification. Used in `recording/verification`, `recording/scoring` and `recording/following`.
MOST_SPEED_OFF = 0.04
"""Farthest speed tried, less 1. Higher: faster turntables, coarser steps."""
SPEED_LOSS = 0.5
"""Correlation that a speed must gain, per unit of difference from 1. Higher: less believed."""
SHIFT_LOSS = 1.5
"""Score that each semitone of shift costs: one recording in thirty is shifted. Higher: later claims."""
OFFSET_REACH_S = 0.28
"""Farthest offset about an offset bin; half of it about a match. Higher: more work, wandering."""
OFFSET_STEP_S = 0.046
"""Step of these offsets; half of it in refining. Higher: lower correlations."""
REFINED = 16
"""Places refined at all speeds. Higher: more work."""
CANDIDATES = 6
"""Places scored after that; the better half is remembered. Higher: more work."""
CANDIDATES_PER_TRACK = 2
"""Of one track; twice as many are refined. Higher: less room for what begins."""
REMEMBERED = 64
"""Tracks never claimed that are kept, in `tracking/trace`. Higher: more memory."""
SAME_SOUND = 0.43
"""Correlation of repeats and copies; from half of it more is compared. Higher: copies count as others."""
SAME_RECORDING = 0.26
"""Correlation over 30 s of one recording: copies reach 0.42, others 0.18. Higher: bad copies are others."""
ONE_PLACE_S = 0.37
"""Distance of positions that are one place; of twice as much, one line. Higher: close repeats are one."""
SURE = 0.7
"""Correlation never doubted; others on the same instrument have 0.2 to 0.5. Higher: more doubt."""
DOUBTED = 0.75
"""Factor on doubted scores, where tracks are alike or few (docs/recordings.md). Higher: less doubt."""
TAIL_EXPONENT = 0.2
"""Power by which scores over longer windows than the third shrink (3 h of music). Higher: lower scores."""

# Background scores. Used in `recording/background_scores`; `PRIOR_GROUPS` in `version/ranking`, too.
BACKGROUND_MEAN = 0.5
"""Fisher z of wrong tracks over n positions, times sqrt(n). Higher: lower scores in small catalogues."""
BACKGROUND_DEVIATION = 0.08
"""Its deviation, times sqrt(n): 0.03 in noise to 0.08 in large catalogues. Higher: as above."""
PRIOR_GROUPS = 4.0
"""Groups that the expected deviation counts for, fewest with a median. Higher: as above."""
ENOUGH = 48
"""Groups below which it counts for those missing; fewest stretches. Higher: as above."""
SHIFTED_BACKGROUND = 0.05
"""Fisher z, times sqrt(n), allowed to the median at a shift; 13 h have it, 122 h 0.08 to 0.17
(scripts/evaluate_growth.py). Higher: lower scores there."""
ORDINARY_H = 16.0
"""Hours of catalogue up to which nothing is levelled; all from ten times (13 h). Higher: lower scores."""

# Self-similarity. Used in `catalog/self_similarity` and `recording/scoring`.
STRETCHES = 128
"""Stretches of its own tracks searched in a catalogue. Higher: slower builds, steadier."""
STRETCHES_BELOW = 0.75
"""Quantile compared with the next. Half find nothing; the highest share material. Higher: more bias."""
ORDINARY_SCORE = 4.7
"""Its score in ordinary catalogues: 4.3, 4.7; 40 pieces on one sampler have 5.4. Higher: less bias."""
MOST_SCORE_BIAS = 1.5
"""Most score bias: it makes false alarms nine times rarer. Higher: less is found among tracks alike."""
BIAS_PER_DECADE = 0.8
"""Score bias that tenfold `ORDINARY_H` explains: permuted codes of 131 h have 0.68. Higher: less doubt."""

# Versions. Used in `version/`.
BAND_S = 3.0
"""Time that a path may leave its line by; half of it away is another place. Higher: more work."""
CHANCE_VARIANCE = 0.6
"""Variance of chance correlation over n steps, times n: 3 h of unknown music. Higher: more evidence."""
DISTRUST = 0.25
"""Power of the variance that divides evidence: where none of 3 h of unknown music is claimed, 0 finds .82 of
transposed pieces, 0.25 .97, 0.5 .93. Higher: loops are worth less."""
STILL = 0.15
"""Norm below which a change counts in proportion; chroma has 1. Higher: faint ones count less."""
VERSION_SHORTEST_S = 10.0
"""Shortest window; they double up to four times as much. Higher: slower, surer."""
VERSION_HEARD_S = 8.0
"""Audible time that a decision needs, to tell pieces apart. Higher: slower."""
VERSION_RECENT_S = 6.0
"""Newest stretch, which tells whether a version sounds now. Higher: slower ends."""
VERSION_CANDIDATES = 4
"""Tracks scored over a window. Higher: more work."""
VERSION_BACKGROUND_MEAN = 0.85
"""Evidence expected beforehand over n steps, times sqrt(n). Higher: lower scores with few lines."""
VERSION_BACKGROUND_DEVIATION = 0.7
"""Its deviation, times sqrt(n). Higher: as above."""
HOME_KEY = 0.05
"""Evidence that the same key is ahead by; few transpose. Higher: fewer other keys."""
SAME_MUSIC = 0.6
"""Share of a path's correlation from which another is the same music. Higher: more background."""
AGREES = 0.5
"""Share of its correlation from which a step, or code, agrees. Higher: later beginnings."""

# Calibration: false alarms an hour, by score. Used in `tracking/calibration`.
RECORDING_ALARMS_LOG10 = 4.5
"""Their logarithm at score 0, between those of other makers' music and of the references' soundtracks against
13 h (scripts/count_alarms.py, docs/recordings.md). Higher: higher thresholds."""
RECORDING_SCORE_PER_DECADE = 1.6
"""Score that makes them ten times rarer. Measured with the above. Higher: higher thresholds."""
RECORDING_KNOWN_PER_SCORE = 0.333
"""Known recordings an hour per unit of score, as in 5 h of broadcast. Higher: more confidence."""
VERSION_ALARMS_LOG10 = 3.9
"""As for recordings. Fitted to half of 3 h of unknown music against 13 h (docs/versions.md)."""
VERSION_SCORE_PER_DECADE = 1.3
"""As for recordings. Fitted with the above."""
VERSION_SHARE = 0.1
"""Share of all false alarms put up with that is for versions. Higher: lower threshold."""
VERSION_KNOWN_PER_HOUR = 0.1
"""Versions of known pieces in an hour, assumed low. Higher: more confidence."""

# Rejection of recordings. Used in `recording/claim_check`; the newest audio in most rooms.
NEWEST_S = 1.48
"""Newest audio, which tells what sounds now; twice as much tells the speed. Higher: later claims."""
SOUNDING_SCORE = 2.5
"""Score over the newest audio from which a candidate sounds now. Higher: later claims."""
DIRECTED_SCORE = 4.0
"""Score above itself read backwards: steady tones 0, drones 2 to 10, 99 % over 8. Higher: no drones."""
LOST_WHILE_HELD = 0.45
"""Share of its correlation that a short line must lose backwards. Higher: as above."""
HELD_CORRELATION = 0.5
"""Correlation from which a longer line is judged so. Lower: chords in noise are judged."""
LOST = 0.35
"""Share that such a line must lose; chords that beat lose a third. Higher: true lines are rejected."""
NEARLY = 0.7
"""Share of a score that is nearly as good: of another place, which speaks against a claim; of a longer window
of a version, whose path is taken. Higher: loops are claimed, fewer long paths."""
ELSEWHERE = 0.5
"""Share of the score that this place must have of its own. Of 408 true beginnings (8 h of broadcast) 2 have
such a place, of 10 false ones 8. Higher: loops are claimed."""
REPEAT = 0.38
"""Correlation with the place claimed of its repeats, which reach 0.42. Higher: repeats are claimed later."""
NO_PERFORMANCE = 0.75
"""Correlation over the third window that no performance has. Higher: recordings after one come later."""

# Following. Used in `recording/` and `tracking/tempo`.
DECISION_S = 0.37
"""Time from one decision to the next. Higher: less work, later claims."""
FOLLOWED_S = 11.8
"""Most audio on which a match is followed; half of it tells performances. Higher: steadier, later."""
STEADY = 0.8
"""Share of its correlation in the newest audio that saves half the searches. Higher: more work."""
BETTER = 0.03
"""Correlation, times sqrt(n), by which another place is better. Higher: steadier, repeats told later."""

# Tracking, both lanes. Used in `tracking/` and `version/path_tracker`.
OVER_CORRELATION = 0.08
"""Correlation of a match that is over (made sequences, broadcast). Higher: faint ones end sooner."""
ALIVE_SHARE = 0.4
"""Share of the way from there to its level below which a match lacks correlation. Higher: sooner ends."""
MISSING_AT_END = 0.8
"""Correlation times seconds lacking at the end: 2 s of a clear match. Higher: drop-outs are bridged."""
MAX_PAUSE_S = 3.6
"""Silence that is not of its track and ends a match. Higher: longer pauses are bridged."""
LEAST_LEFT = 0.3
"""Share of the power left to a match beside others, at least. Lower: what is over lives longer. Cross-fades
of 10 s: .93 end within 3 s with 0.2, .92 with 0.3, .90 with 0.35 (scripts/evaluate_overlaps.py)."""
OFF_SPEED = 0.07
"""Difference of the speed from 1 that is no recording's. Higher: steady performances are recordings."""
SURE_ERRORS = 3.0
"""Standard errors by which it must be more. Higher: as above, later."""
STRAY_S = 0.046
"""Root mean square off the line of no recording; 810 excerpts have 0.037 at most. Higher: fewer versions."""
VERSION_DECISION_S = 2.2
"""Time from one decision of the version lane to the next. Higher: less work, later claims."""
VERSION_SLOWEST = 0.67
"""Slowest speed of a version; its inverse is the fastest. Lower: lines may leave their piece."""
VERSION_SOUNDS = 1.5
"""Score of its newest stretch from which a version sounds now. Higher: later claims."""
VERSION_CORRELATION = 0.3
"""Least of a version: pianists have 0.5 to 0.9, unknown music under 0.4. Higher: poor ones are lost."""

# What is told. Used in `tracking/report` and by both trackers.
UPDATE_S = 5.0
"""Time after which a match is told again. Higher: fewer events."""
CORRECTION_S = 0.2
"""Correction of its place that is told at once. Higher: fewer events."""
VERSION_CORRECTION_S = 2.0
"""The same of a version, whose place is known less well."""
HEARD_AT_START = 0.75
"""Share of the first code that is of the match (1 h of broadcast). Higher: earlier `started_s`."""
SILENT_AT_END = 0.27
"""Share of the last code that is not of it: as above. Higher: earlier `ended_s`."""
