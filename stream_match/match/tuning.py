"""The numbers that matching is tuned by, in seconds, hours, shares and scores.

Each says what it is, what raising it does ("higher"), and where it was measured; "by hand" if nowhere.
"""

# Query and windows. Used in `recording/`; and in most other rooms.

SHIFT_STEP_SEMITONES = 0.5
"""Between shifts; half of it is what speed alone makes of a turntable. Higher: less work, less found."""
MOST_SHIFT_SEMITONES = 2.0
"""Farthest shift; uploads and mixes are moved by one or two semitones. Higher: more work, more chance."""
SHORTEST_WINDOW_S = 1.115
"""Shortest length compared (jingles); others double from it. Over less than two of it held chords agree with
any; from the third on performances do not. Higher: short sounds lost. By hand; tails on 3 h of other
music."""
LONGEST_WINDOW_S = 14.9
"""Longest length compared: deep noise needs it. Votes, and what was performed, are kept as long; chance of
versions is measured as long. Higher: more memory. By hand."""
LARGEST_CORRELATION = 0.98
"""Correlations above count as this one: Fisher's z has no bound. Higher: perfect ones score more. By hand."""

# Votes. Used in `recording/proposals`.

SEARCHED_SHARE = 0.5
"""Of the frames searched at shift 0; at all others together, which are rare, as many. Higher: more work. By
hand."""
LSH_VOTE = 0.25
"""Weight of an LSH vote; a neighbour that agrees in all bits has 1. Higher: chroma counts more. By hand."""
VOTE_HALF_LIFE_S = 6.0
"""Time in which a vote fades to half. Higher: steadier, slower to change. By hand."""
LEAST_VOTES = 0.15
"""Weight below which an offset bin is dropped; most hold one vote of chance. Higher: less memory. By hand."""
BINS = 64
"""Offset bins verified at shift 0, and as many decoys. Higher: more work, more background scores. By hand."""
SHIFTED_BINS = 6
"""The same at each other shift. With 4, 40 scores on one sampler had a false claim of 8.8, with 6 of 7.8
(docs/recordings.md): background scores were too few. Higher: more work."""
BINS_PER_TRACK = 3
"""Offset bins of a track at one shift; twice as many of copies. Higher: less room for others. By hand."""

# Verification. Used in `recording/verification`, `recording/scoring` and `recording/place_search`.

MOST_SPEED_OFF = 0.04
"""Farthest speed tried, less 1. Higher: faster turntables, coarser steps. By hand."""
SPEED_LOSS = 0.5
"""Correlation that another speed than 1 must gain, per unit of difference. Higher: less believed. By hand."""
SHIFT_LOSS = 1.5
"""Score that each semitone of shift costs, one at least: one recording in thirty is shifted, eight of nine
lines are. Higher: shifted recordings are claimed later. By hand."""
OFFSET_REACH_S = 0.28
"""Farthest offset tried about an offset bin; half of it about a match. Higher: more work, matches wander. By
hand."""
OFFSET_STEP_S = 0.046
"""Step of these offsets; half of it where places are refined. Higher: lower correlations. By hand."""
REFINED = 16
"""Places refined at all speeds. Higher: more work. By hand."""
CANDIDATES = 6
"""Places scored after that; the better half is remembered. Higher: more work. By hand."""
CANDIDATES_PER_TRACK = 2
"""Of one track; twice as many are refined. Higher: less room for what begins. By hand."""
REMEMBERED = 64
"""Tracks never claimed of which the best candidate is kept (`tracking/trace`). Higher: more memory. By
hand."""
SAME_SOUND = 0.43
"""Correlation above which two stretches of reference are a repeat or one recording; from half of it they are
compared over half a minute. Higher: copies count as others. Lowered with the codes, as the next was."""
SAME_RECORDING = 0.26
"""Correlation over half a minute above which two lines are one recording. Copies half a position apart reach
0.42, others that got votes 0.18, save quotations. Higher: bad copies count as others."""
ONE_PLACE_S = 0.37
"""Distance up to which two positions are one place; within twice as much a candidate is a match, and lines
are read backwards. Higher: close repeats are one. By hand."""
SURE = 0.7
"""Correlation that is never doubted; others on the same instrument have 0.2 to 0.5. Higher: more doubt."""
DOUBTED = 0.75
"""Factor on doubted scores, where tracks are alike or few (docs/recordings.md). Higher: less doubt."""
TAIL_EXPONENT = 0.2
"""Power by which scores over windows beyond the third shrink: 3 h of other music have a heavier tail there
against 13 h of references. Higher: they score less."""

# Background scores. Used in `recording/background_scores`; `PRIOR_GROUPS` in `version/ranking`, too.

BACKGROUND_MEAN = 0.5
"""Fisher z expected over n positions, times sqrt(n): of wrong tracks in a large catalogue. Higher: lower
scores in small catalogues."""
BACKGROUND_DEVIATION = 0.08
"""Its deviation, times sqrt(n): 0.03 in noise to 0.08 in large catalogues. Higher: as above."""
PRIOR_GROUPS = 4.0
"""Independent groups that the expected deviation counts for, fewest that have a median. Higher: as above. By
hand."""
ENOUGH = 48
"""Groups below which it counts for those missing; fewest stretches for self-similarity. Higher: as above. By
hand."""
SHIFTED_BACKGROUND = 0.05
"""Fisher z, times sqrt(n), that the median at a shift may lie above that at 0; 13 h have it, larger
catalogues 0.08 to 0.17. Higher: lower scores there. 300 excerpts against 13 h and 122 h
(scripts/evaluate_growth.py)."""
ORDINARY_H = 16.0
"""Hours of catalogue up to which nothing is levelled; from ten times as many all is. Calibrated against 13 h.
Higher: lower scores in large catalogues."""

# Self-similarity. Used in `recording/self_similarity` and `recording/scoring`.

STRETCHES = 128
"""Stretches of its own tracks that a catalogue is searched for. Higher: slower builds, steadier. By hand."""
STRETCHES_BELOW = 0.75
"""Quantile compared with the next. Half find nothing; the highest share material. Higher: more bias."""
ORDINARY_SCORE = 4.7
"""Its score in ordinary catalogues at most: 4.3 and 4.7 with 208 and 44 tracks of game music; 5.4 with 40
pieces on one sampler. Higher: less bias."""
MOST_SCORE_BIAS = 1.5
"""Most score bias: it makes false alarms nine times rarer. Higher: less is found among tracks alike."""
BIAS_PER_DECADE = 0.8
"""Score bias that tenfold `ORDINARY_H` explains: permuted codes of 131 h have 0.68. Higher: less doubt."""

# Versions. Used in `version/`.

BAND_S = 3.0
"""Time that a path may leave its line by; half of it away is another place. Higher: more work. By hand."""
CHANCE_VARIANCE = 0.6
"""Variance by chance of the correlation over n steps, times n: 3 h of unknown music. Higher: more
evidence."""
DISTRUST = 0.25
"""Power of the variance that divides evidence. Where none of 3 h of unknown music is claimed, 0 finds .82 of
20 s of transposed pieces, 0.25 .97, 0.5 .93. Higher: loops and slow harmony are worth less."""
STILL = 0.15
"""Norm below which a change counts in proportion; chroma has 1. Higher: faint ones count less. By hand."""
VERSION_SHORTEST_S = 10.0
"""Shortest window; they double up to four times as much. Higher: slower, surer. By hand."""
VERSION_HEARD_S = 8.0
"""Audible time that a decision needs: less harmony does not tell pieces apart. Higher: slower. By hand."""
VERSION_RECENT_S = 6.0
"""Newest stretch, which tells whether a version sounds now. Higher: slower ends. By hand."""
VERSION_CANDIDATES = 4
"""Tracks scored over a window. Higher: more work. By hand."""
VERSION_BACKGROUND_MEAN = 0.85
"""Evidence expected beforehand over n steps, times sqrt(n). Higher: lower scores with few lines. By hand."""
VERSION_BACKGROUND_DEVIATION = 0.7
"""Its deviation, times sqrt(n). Higher: as above. By hand."""
HOME_KEY = 0.05
"""Evidence that the same key is ahead by: performers seldom transpose. Higher: fewer other keys. By hand."""
SAME_MUSIC = 0.6
"""Share of a path's correlation from which another is the same music. Higher: more background. By hand."""
AGREES = 0.5
"""Share of its correlation from which a step, or a recording, agrees. Higher: later beginnings. By hand."""

# Calibration: false alarms an hour, by score. Used in `tracking/calibration`.

RECORDING_ALARMS_LOG10 = 4.5
"""Their logarithm at score 0. Higher: higher thresholds. Highest of 10 s against 13 h: of 9.8 h by other
makers 9.8, 2.4, 0.6, 0.2 an hour are over 5, 6, 7, 8; of 3 h of the references' soundtracks 25, 9.4, 5, 2.7.
With nine shifts, 2.9, 1.3, 0.2 over 7, 8, 8.8 (4.5 h; scripts/count_alarms.py; docs/recordings.md)."""
RECORDING_SCORE_PER_DECADE = 1.6
"""Score that makes them ten times rarer. Measured with the above. Higher: higher thresholds."""
RECORDING_KNOWN_PER_SCORE = 0.333
"""Known recordings an hour per unit of score: ten over thirty, as in 5 h of broadcast. Higher: more
confidence."""
VERSION_ALARMS_LOG10 = 3.9
"""As for recordings. Fitted to half of 3 h of unknown music against 13 h (docs/versions.md)."""
VERSION_SCORE_PER_DECADE = 1.3
"""As for recordings. Fitted with the above."""
VERSION_SHARE = 0.1
"""Share of all false alarms put up with that is for versions. Higher: lower threshold. By hand."""
VERSION_KNOWN_PER_HOUR = 0.1
"""Versions of known pieces in an hour, assumed low. Higher: more confidence. By hand."""

# Rejection of recordings. Used in `recording/claim_check`; the newest audio in most rooms.

NEWEST_S = 1.48
"""Newest audio by which it is judged what sounds now; after twice as much, the speed is known and a recording
is confirmed. Higher: later claims after a change."""
SOUNDING_SCORE = 2.5
"""Score over the newest audio from which a candidate sounds now. Higher: later claims. By hand."""
DIRECTED_SCORE = 4.0
"""Score by which a line must be above itself read backwards. Steady tones have 0; true lines of drones 2 to
10, 99 % of all more than 8 (8 h of broadcast). Higher: drones are never claimed."""
LOST_WHILE_HELD = 0.45
"""Share of its correlation that a line must lose backwards over less than two windows. Higher: as above."""
HELD_CORRELATION = 0.5
"""Correlation from which a longer line is judged so, too. Lower: chords in noise are judged. By hand."""
LOST = 0.35
"""Share that such a line must lose. Chords whose partials beat lose a third; one true line in a hundred of an
hour of broadcast less than half. Higher: true lines are rejected."""
NEARLY = 0.7
"""Share of a score that makes another nearly as good: of another place of the track, which then speaks
against a claim; of a longer window of a version, whose path is then taken. Higher: loops are claimed, fewer
long paths."""
ELSEWHERE = 0.5
"""Share of the score that this place must have of its own. Of 408 true beginnings in 8 h of broadcast 2 have
such a place; of 10 false ones in unknown music 8. Higher: loops are claimed."""
REPEAT = 0.38
"""Correlation with the place claimed from which the other is its repeat; repeats reach 0.42. Higher: tracks
with repeats are claimed later."""
NO_PERFORMANCE = 0.75
"""Correlation over the third window that no performance on the same instruments has. Higher: a recording
after a performance is claimed later. By hand."""

# Following. Used in `recording/` and `tracking/tempo`.

DECISION_S = 0.37
"""Time from one decision to the next. Higher: less work, later claims."""
FOLLOWED_S = 11.8
"""Most audio on which a match is followed, and length of its tempo track. Half of it tells a performance
(neighbouring decisions err alike); all of it, a recording after all. Higher: steadier, later. By hand."""
STEADY = 0.8
"""Share of its correlation that the newest audio has while nothing else begins; then every second decision
searches the catalogue. Higher: more work."""
BETTER = 0.03
"""Correlation, times sqrt(n) over n positions up to 4.5 s, by which another place must be better. Higher:
repeats are told apart later; lower: a match wanders between them. By hand."""

# Tracking, both lanes. Used in `tracking/` and `version/path_tracker`.

OVER_CORRELATION = 0.08
"""Correlation along the line of a match that is over: made sequences, broadcast. Higher: faint ones end
sooner."""
ALIVE_SHARE = 0.4
"""Share of the way from there to its level below which a match lacks correlation. Higher: matches end sooner,
also where something louder covers them."""
MISSING_AT_END = 0.8
"""Correlation times seconds that a match lacks when it is over: 2 s of a clear one. Higher: later ends,
longer drop-outs are bridged."""
MAX_PAUSE_S = 3.6
"""Silence that its track does not have and that ends a match. Higher: longer pauses are bridged."""
LEAST_LEFT = 0.3
"""Share of the power of what is heard left to a match beside others, at least. Lower: what is over lives
longer. Of 30 first tracks in cross-fades of 10 s .93 end within 3 s with 0.2, .90 with 0.35; of 60 others .92
with 0.3 (scripts/evaluate_overlaps.py)."""
OFF_SPEED = 0.07
"""Difference of the speed from 1 that is no recording's. Higher: steady performances are recordings."""
SURE_ERRORS = 3.0
"""Standard errors by which it must be more. Higher: as above, later."""
STRAY_S = 0.046
"""Root mean square distance from a straight line that is no recording's; half of it makes a performance one
again. Of 810 excerpts of 10 s none has over 0.037. Higher: performances are recordings."""
VERSION_DECISION_S = 2.2
"""Time from one decision of the version lane to the next. Higher: less work, later claims."""
VERSION_SLOWEST = 0.67
"""Slowest speed at which a version is followed; its inverse is the fastest. Lower: lines may leave their
piece."""
VERSION_SOUNDS = 1.5
"""Score of its newest stretch from which a version sounds now. Higher: later claims. By hand."""
VERSION_CORRELATION = 0.3
"""Least correlation of a version. Those of other pianists have 0.5 to 0.9, unknown music mostly less than
0.4. Higher: poor versions are lost."""

# What is told. Used in `tracking/report` and by both trackers.

UPDATE_S = 5.0
"""Time after which a match is told again. Higher: fewer events."""
CORRECTION_S = 0.2
"""Correction of its place that is told at once. Higher: fewer events."""
VERSION_CORRECTION_S = 2.0
"""The same of a version, whose place is known less well."""
HEARD_AT_START = 0.75
"""Share of what the first code that agrees has heard of the match: median of an hour of broadcast. Higher:
earlier `started_s`."""
SILENT_AT_END = 0.27
"""Share of what the last code that agrees has heard after the match: as above. Higher: earlier `ended_s`."""
