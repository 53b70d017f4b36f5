"""Every number that matching is tuned by, in seconds, hours, shares and scores.

Positions, frames and steps are derived where they are needed. "Set by hand" means that no measurement is
known. "Higher" says what raising the number does.
"""

# Query: what was heard last. Used in `recording/query`.

SHIFT_STEP_SEMITONES = 0.5
"""Semitones between two shifts that are tried. A turntable 3 % fast is half a semitone high.
Higher: fewer shifts, less work, less found between them."""

MOST_SHIFT_SEMITONES = 2.0
"""Farthest shift tried, up and down: uploads and mixes are moved by one or two semitones.
Higher: more work, and more shifts at which chance may agree."""

SHORTEST_WINDOW_S = 1.115
"""Shortest length that is compared; windows double from here. A jingle gives so much.
Higher: short sounds are missed. Set by hand."""

MEDIUM_WINDOW_S = 4.46
"""Third window. Used in `recording/` wherever some seconds must do: places are sorted by windows up to it,
same sound is compared over it, shorter tracks are not asked about, longer windows have heavier tails.
Scores over less than twice as much may be doubted. Higher: slower and surer. Set by hand, but for the
tails: measured over 3 h of other music against 13 h of references."""

LONGEST_WINDOW_S = 14.9
"""Longest length that is compared, and how long votes are kept. Deep noise needs it.
Higher: more memory, fainter recordings found. Set by hand."""

# Votes. Used in `recording/proposals`.

SEARCHED_SHARE = 0.5
"""Share of the frames that is searched as it sounds. Higher: more votes, more work. Set by hand."""

SHIFTED_SHARE = 0.0625
"""Share of the frames that is searched at other shifts. These are rare, and then the sound is clear.
Higher: more votes, more work. Set by hand."""

LSH_VOTE = 0.25
"""Weight of a vote of the LSH tables. A neighbour that agrees in all bits has 1.
Higher: chroma counts more. Set by hand."""

VOTE_HALF_LIFE_S = 6.0
"""Seconds in which a vote fades to half. Higher: steadier, slower to change. Set by hand."""

LEAST_VOTES = 0.15
"""Weight below which an offset bin is dropped. Most hold one vote of chance.
Higher: less memory. Set by hand."""

BINS = 64
"""Offset bins verified at shift 0, and as many decoys. Higher: more found in noise, more work.
More bins are more background scores, too."""

SHIFTED_BINS = 6
"""Offset bins verified at each other shift. With 4 the background scores were too few: 40 scores on one
sampler had a false claim of 8.8, with 6 of 7.8 (docs/recordings.md). Higher: more work."""

BINS_PER_TRACK = 3
"""Offset bins of one track at one shift; twice as many for a group of copies.
Higher: less room for other tracks. Set by hand."""

# Verification. Used in `recording/verification` and `recording/scoring`.

MOST_SPEED_OFF = 0.04
"""Farthest speed tried, as a difference from 1. Higher: faster turntables found, coarser steps."""

SPEEDS_EACH_SIDE = 3
"""Speeds tried on each side of 1. Between two of them a line drifts one position in 14 s.
Higher: more work, finer speeds. Set by hand."""

SPEED_LOSS = 0.5
"""Correlation that another speed than 1 must gain, per unit of difference.
Higher: speeds other than 1 are believed less. Set by hand."""

SHIFT_LOSS = 1.5
"""Score that a semitone of shift costs; less than a semitone costs as much. One recording in thirty is
shifted, and eight of nine lines are (docs/recordings.md). Higher: shifted recordings are claimed later."""

OFFSET_REACH_S = 0.28
"""Farthest offset tried about an offset bin. Higher: more work. Set by hand."""

OFFSET_STEP_S = 0.046
"""Step between these offsets. Refining uses half of it, up to one and a half.
Higher: less work, lower correlations. Set by hand."""

REFINED = 16
"""Places that are refined at all speeds. Higher: more work. Set by hand."""

CANDIDATES = 6
"""Places that are scored after that. Higher: more work. Set by hand."""

CANDIDATES_PER_TRACK = 2
"""Candidates of one track; twice as many are refined. What sounds for long ranks high at many places.
Higher: less room for what begins. Set by hand."""

SAME_SOUND = 0.43
"""Correlation above which two stretches of reference hold the same sound: one recording, or a repeat.
Higher: fewer copies and repeats are recognised. Lowered with the codes, as `SAME_RECORDING` was."""

SAME_SOUND_LIKELY = 0.2
"""Correlation below which two stretches are not compared over half a minute. Higher: less work."""

SAME_RECORDING = 0.26
"""Correlation over half a minute above which two lines are one recording. Copies whose frames lie half a
position apart reach 0.42; others that got votes at the same moments 0.18, save quotations. With the codes
before, the bound was 0.48, and copies reached 0.46 at 24 kbit/s, 0.39 through a room.
Higher: bad copies count as other recordings."""

ONE_PLACE_S = 0.37
"""Distance up to which two positions of a track are one place. Higher: close repeats are one. Set by hand."""

SURE = 0.7
"""Correlation above which a score is never doubted. Others on the same instrument reach 0.2 to 0.5.
Higher: more is doubted."""

DOUBTED = 0.75
"""Factor on a doubted score: below `SURE`, over a short window, among tracks that are alike or few.
Higher: doubt costs less. Measured in docs/recordings.md, self-similarity."""

TAIL_EXPONENT = 0.2
"""Power by which scores over windows longer than `MEDIUM_WINDOW_S` shrink, for their heavier tail.
Higher: long windows score less. Measured over 3 h of other music against 13 h of references."""

# Background scores. Used in `recording/background_scores` and, where said, in `version/ranking`.

BACKGROUND_MEAN = 0.5
"""Mean expected before anything is seen: 0.5 / sqrt(n) over n positions. Higher: lower scores.
The best lines of wrong tracks in a large catalogue have it."""

BACKGROUND_DEVIATION = 0.08
"""Deviation expected before anything is seen: 0.08 / sqrt(n). Large catalogues have 0.03 in noise to 0.08.
Higher: small catalogues claim less."""

PRIOR_GROUPS = 4.0
"""Independent groups that the expected deviation counts for, in both lanes. Fewer have no median either.
Higher: small catalogues claim less. Set by hand."""

ENOUGH = 48
"""Independent groups from which the prior counts `PRIOR_GROUPS` only, and fewest stretches that tell how
alike tracks are. Higher: small catalogues claim less. Set by hand."""

SHIFTED_BACKGROUND = 0.05
"""Fisher z, times sqrt(n), that a shift's median may lie above that of shift 0. Half a semitone has it in
13 h of references; larger catalogues have 0.08 to 0.17. Higher: lower scores there.
Measured on 300 excerpts against 13 h and 122 h (docs/figures.md, Growth; scripts/evaluate_growth.py)."""

ORDINARY_H = 16.0
"""Hours of catalogue up to which nothing is levelled; at ten times as many all is.
Higher: lower scores in large catalogues. The calibration was made against 13 h."""

# Self-similarity. Used in `recording/self_similarity` and `recording/scoring`.

STRETCHES = 128
"""Stretches of the catalogue's own tracks that are searched. Higher: slower builds, steadier bias."""

SCORED_TIMES = 3
"""How often a stretch is scored while it is heard. Higher: slower builds. Set by hand."""

RELATED = 7.2
"""Score from which another track is a remix or performance, not merely alike. An hour of unknown audio
reaches it once. Higher: catalogues of remixes get a score bias."""

ORDINARY_SCORE = 4.7
"""Score that a quarter of the stretches reach in ordinary catalogues at most: 4.3 and 4.7 in those of 208 and
44 tracks of game music. 40 pieces played on one sampler have 5.4. Higher: smaller score bias."""

STRETCHES_BELOW = 0.75
"""Quantile of the stretches that is compared with it. Half find nothing to claim; the highest share material.
Higher: bias where few tracks are alike."""

MOST_SCORE_BIAS = 1.5
"""Most that is taken off scores: false alarms are nine times rarer then.
Higher: less is found among tracks that are alike."""

BIAS_PER_DECADE = 0.8
"""Score bias that size alone explains, per tenfold `ORDINARY_H`. 131 h of permuted codes have 0.68.
Higher: less is doubted in large catalogues."""

# Versions. Used in `version/`.

BAND_S = 3.0
"""Seconds that a path may leave its line by, on each side. Shifts up to half of it are no other place.
Higher: jumpier paths, more work. Set by hand."""

BEND_LOSS = 1.0
"""Correlation that a path pays for each step aside: that of a perfect step. Higher: straighter paths."""

STEEPEST = 1.5
"""Fastest tempo of a line: how far the reference is read. Higher: more work."""

CHANCE_VARIANCE = 0.6
"""Variance by chance of the correlation over n unrelated steps, times n. Higher: all evidence is worth more.
Measured on 3 h of unknown music."""

CHANCE_S = 14.9
"""Seconds of shifts that `CHANCE_VARIANCE` counts for. Higher: slow harmony is distrusted less.
Measured with it."""

DISTRUST = 0.25
"""Power of the variance that evidence is divided by. Where none of 3 h of unknown music is claimed, 0 found
.82 of 20 s of transposed pieces, 0.25 .97, 0.5 .93. Higher: loops and slow harmony are worth less."""

STILL = 0.15
"""Norm below which a step's distance from the mean counts in proportion. Chroma has norm 1.
Higher: faint changes count less. Set by hand."""

VERSION_SHORTEST_S = 10.0
"""Shortest window; windows double, and need half of it heard. Higher: slower and surer. Set by hand."""

VERSION_LONGEST_S = 40.0
"""Longest window. Higher: better tempo, more work. Set by hand."""

VERSION_HEARD_S = 8.0
"""Audible seconds that a decision needs. Less harmony does not tell pieces apart. Higher: slower."""

VERSION_RECENT_S = 6.0
"""Newest seconds that tell whether a version sounds now. Higher: slower ends. Set by hand."""

VERSION_CANDIDATES = 4
"""Tracks that are scored over a window. Higher: more work. Set by hand."""

VERSION_BACKGROUND_MEAN = 0.85
"""Mean evidence expected before any is seen, times sqrt(n). Higher: lower scores in small catalogues."""

VERSION_BACKGROUND_DEVIATION = 0.7
"""Deviation expected before any is seen, times sqrt(n). Higher: lower scores in small catalogues."""

HOME_KEY = 0.05
"""Evidence that the same key is ahead by. Performers seldom transpose; recapitulations do.
Higher: other keys are chosen less. Set by hand."""

LONGER_HOLDS = 0.7
"""Share of a shorter window's scores that a longer one needs for its path. Higher: fewer long paths."""

SAME_MUSIC = 0.6
"""Share of a path's own correlation from which another path is the same music. Higher: more background."""

AGREES = 0.5
"""Share of a path's correlation from which a step agrees. Higher: later beginnings, less coverage."""

# Calibration: scores into false alarms. Used in `tracking/calibration`.

RECORDING_ALARMS_LOG10 = 4.5
"""Logarithm of the false alarms an hour at score 0. Higher: higher thresholds. Highest scores of ten seconds
against 13 h of references, over 5, 6, 7, 8, 9 an hour: 9.8 h of other makers' music 9.8, 2.4, 0.6, 0.2, -;
3 h of the references' own soundtracks 25, 9.4, 5, 2.7, 1. The line lies between. Budgets of 10, 1 and 0.1
gave 6.9, 1.5, 0.46 claims an hour in 19.5 h (scripts/count_alarms.py; docs/recordings.md). With nine shifts,
4.5 h of the first kind are over 7, 8 and 8.8 2.9, 1.3 and 0.2 times an hour."""

RECORDING_SCORE_PER_DECADE = 1.6
"""Score by which false alarms are ten times rarer. Higher: higher thresholds. Measured with the above."""

RECORDING_KNOWN_PER_SCORE = 10 / 30
"""Known recordings an hour per unit of score: ten an hour, spread over thirty, as in 5 h of broadcast.
Higher: higher confidence."""

VERSION_ALARMS_LOG10 = 3.9
"""As for recordings. Fitted to half of 3 h of unknown music against 13 h (docs/versions.md)."""

VERSION_SCORE_PER_DECADE = 1.3
"""As for recordings. Fitted with the above."""

VERSION_SHARE = 0.1
"""Share of the false alarms put up with that is for versions. Higher: lower threshold. Set by hand."""

VERSION_KNOWN_PER_HOUR = 0.1
"""Versions of known pieces in an hour, assumed low. Higher: higher confidence. Set by hand."""
