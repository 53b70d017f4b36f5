"""Every number that matching is tuned by, in seconds, hours, shares and scores.

Positions, frames and steps are derived where they are needed. "Higher" says what raising a number does;
"by hand" that no measurement is known.
"""

# Query and windows. Used in `recording/`; the longest also by `matcher`, `decision` and `catalog/`.

SHIFT_STEP_SEMITONES = 0.5
"""Semitones between shifts. A turntable 3 % fast is half a semitone high. Higher: less work, less found."""

MOST_SHIFT_SEMITONES = 2.0
"""Farthest shift; uploads and mixes are moved by one or two semitones. Higher: more work, more chance."""

SHORTEST_WINDOW_S = 1.115
"""Shortest length compared; windows double from it. Jingles have it. Higher: short sounds lost. By hand."""

MEDIUM_WINDOW_S = 4.46
"""Third window. Places are sorted by windows up to it, same sound is compared over it, and shorter tracks do
not tell self-similarity. Scores over less than twice as much may be doubted; scores over more have a heavier
tail, measured over 3 h of other music against 13 h of references. Higher: slower, surer. Else by hand."""

LONGEST_WINDOW_S = 14.9
"""Longest length compared: deep noise needs it. Votes are kept as long. Higher: more memory. By hand."""

# Votes. Used in `recording/proposals`.

SEARCHED_SHARE = 0.5
"""Share of the frames searched as they sound. Higher: more votes, more work. By hand."""

SHIFTED_SHARE = 0.0625
"""Share searched at other shifts: these are rare, and then clear. Higher: more votes, more work. By hand."""

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

# Verification. Used in `recording/verification` and `recording/scoring`.

MOST_SPEED_OFF = 0.04
"""Farthest speed tried, as a difference from 1. Higher: faster turntables, coarser steps. By hand."""

SPEEDS_EACH_SIDE = 3
"""Speeds tried on each side of 1: neighbours drift one position in 14 s. Higher: more work. By hand."""

SPEED_LOSS = 0.5
"""Correlation that another speed than 1 must gain, per unit of difference. Higher: less believed. By hand."""

SHIFT_LOSS = 1.5
"""Score that each semitone of shift costs, one at least. One recording in thirty is shifted; eight of nine
lines are. Higher: shifted recordings are claimed later. By hand."""

OFFSET_REACH_S = 0.28
"""Farthest offset tried about an offset bin. Higher: more work. By hand."""

OFFSET_STEP_S = 0.046
"""Step of these offsets. Refining takes half of it, up to 1.5 of it. Higher: lower correlations. By hand."""

REFINED = 16
"""Places refined at all speeds. Higher: more work. By hand."""

CANDIDATES = 6
"""Places scored after that. Higher: more work. By hand."""

CANDIDATES_PER_TRACK = 2
"""Candidates of one track; twice as many are refined. Higher: less room for what begins. By hand."""

SAME_SOUND = 0.43
"""Correlation above which two stretches of reference are one recording, or a repeat. Higher: copies and
repeats count as others. Lowered with the codes, as `SAME_RECORDING` was."""

SAME_SOUND_LIKELY = 0.2
"""Correlation from which such stretches are compared over half a minute. Higher: less work. By hand."""

SAME_RECORDING = 0.26
"""Correlation over half a minute above which two lines are one recording; used by `objections`, too.
Copies half a position apart reach 0.42, others that got votes 0.18, save quotations. With the codes before it
was 0.48; then copies reached 0.46 at 24 kbit/s, 0.39 through a room. Higher: bad copies count as others."""

ONE_PLACE_S = 0.37
"""Distance up to which two positions are one place. Higher: close repeats are one. By hand."""

SURE = 0.7
"""Correlation that is never doubted; others on the same instrument have 0.2 to 0.5. Higher: more doubt."""

DOUBTED = 0.75
"""Factor on doubted scores, where tracks are alike or few. Higher: less doubt. See docs/recordings.md."""

TAIL_EXPONENT = 0.2
"""Power by which scores over windows beyond the medium shrink. Measured with it. Higher: they score less."""

# Background scores. Used in `recording/background_scores`; `PRIOR_GROUPS` in `version/ranking`, too.

BACKGROUND_MEAN = 0.5
"""Fisher z expected beforehand over n positions, times sqrt(n): that of wrong tracks in a large catalogue.
Higher: lower scores in small catalogues."""

BACKGROUND_DEVIATION = 0.08
"""Its deviation, times sqrt(n): 0.03 in noise to 0.08 in large catalogues. Higher: as above."""

PRIOR_GROUPS = 4.0
"""Independent groups that the expected deviation counts for, and fewest that have a median. Higher: as above.
By hand."""

ENOUGH = 48
"""Groups below which it counts for the missing ones, and fewest stretches that tell self-similarity.
Higher: as above. By hand."""

SHIFTED_BACKGROUND = 0.05
"""Fisher z, times sqrt(n), that the median at a shift may lie above that at shift 0. 13 h of references have
it; larger catalogues have 0.08 to 0.17. Higher: lower scores there. Measured on 300 excerpts against 13 h and
122 h (docs/figures.md, Growth; scripts/evaluate_growth.py)."""

ORDINARY_H = 16.0
"""Hours of catalogue up to which nothing is levelled; from ten times as many all is. The calibration was made
against 13 h. Higher: lower scores in large catalogues."""

# Self-similarity. Used in `recording/self_similarity` and `recording/scoring`.

STRETCHES = 128
"""Stretches of its own tracks that a catalogue is searched for. Higher: slower builds, steadier. By hand."""

SCORED_TIMES = 3
"""Times that a stretch is scored while it is heard. Higher: slower builds. By hand."""

RELATED = 7.2
"""Score from which a track is a remix, not merely alike: an hour of unknown audio reaches it once. Higher:
catalogues of remixes get a score bias."""

STRETCHES_BELOW = 0.75
"""Quantile compared with the next. Half find nothing; the highest share material. Higher: more bias."""

ORDINARY_SCORE = 4.7
"""Its score in ordinary catalogues at most: 4.3 and 4.7 with 208 and 44 tracks of game music; 5.4 with 40
pieces played on one sampler. Higher: less bias."""

MOST_SCORE_BIAS = 1.5
"""Most score bias: it makes false alarms nine times rarer. Higher: less is found among tracks alike."""

BIAS_PER_DECADE = 0.8
"""Score bias that tenfold `ORDINARY_H` explains: permuted codes of 131 h have 0.68. Higher: less doubt."""

# Versions. Used in `version/`.

BAND_S = 3.0
"""Time that a path may leave its line by; half of it away is another place. Higher: more work. By hand."""

BEND_LOSS = 1.0
"""Correlation that each step aside costs: that of a perfect step. Higher: straighter paths. By hand."""

STEEPEST = 1.5
"""Fastest tempo that the reference is read for. Higher: more work. By hand."""

CHANCE_VARIANCE = 0.6
"""Variance by chance of the correlation over n steps, times n. Measured on 3 h of unknown music. Higher: more
evidence."""

CHANCE_S = 14.9
"""Time of shifts that it counts for. Measured with it. Higher: slow harmony is trusted more."""

DISTRUST = 0.25
"""Power of the variance that divides evidence. Where none of 3 h of unknown music is claimed, 0 finds .82 of
20 s of transposed pieces, 0.25 .97, 0.5 .93. Higher: loops and slow harmony are worth less."""

STILL = 0.15
"""Norm below which a change counts in proportion; chroma has 1. Higher: faint ones count less. By hand."""

VERSION_SHORTEST_S = 10.0
"""Shortest window; windows double, and half of each must be heard. Higher: slower, surer. By hand."""

VERSION_LONGEST_S = 40.0
"""Longest window. Higher: better tempo, more work. By hand."""

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

LONGER_HOLDS = 0.7
"""Share of a shorter window's scores that a longer one needs for its path. Higher: fewer. By hand."""

SAME_MUSIC = 0.6
"""Share of a path's correlation from which another is the same music. Higher: more background. By hand."""

AGREES = 0.5
"""Share of a path's correlation from which a step agrees. Higher: later beginnings. By hand."""

# Calibration: false alarms an hour, by score. Used in `tracking/calibration`.

RECORDING_ALARMS_LOG10 = 4.5
"""Their logarithm at score 0. Higher: higher thresholds. Highest scores of ten seconds against 13 h of
references: of 9.8 h by other makers, 9.8, 2.4, 0.6, 0.2 an hour are over 5, 6, 7, 8; of 3 h from the
references' own soundtracks 25, 9.4, 5, 2.7, and 1 over 9. The line lies between. In 19.5 h, budgets of 10, 1
and 0.1 gave 6.9, 1.5 and 0.46 claims an hour. With nine shifts, 4.5 h of the first kind are over 7, 8 and 8.8
2.9, 1.3 and 0.2 times an hour (scripts/count_alarms.py; docs/recordings.md)."""

RECORDING_SCORE_PER_DECADE = 1.6
"""Score that makes them ten times rarer. Measured with the above. Higher: higher thresholds."""

RECORDING_KNOWN_PER_SCORE = 10 / 30
"""Known recordings an hour per unit of score: ten, spread over thirty as in 5 h of broadcast. Higher: more
confidence."""

VERSION_ALARMS_LOG10 = 3.9
"""As for recordings. Fitted to half of 3 h of unknown music against 13 h (docs/versions.md)."""

VERSION_SCORE_PER_DECADE = 1.3
"""As for recordings. Fitted with the above."""

VERSION_SHARE = 0.1
"""Share of all false alarms put up with that is for versions. Higher: lower threshold. By hand."""

VERSION_KNOWN_PER_HOUR = 0.1
"""Versions of known pieces in an hour, assumed low. Higher: more confidence. By hand."""
