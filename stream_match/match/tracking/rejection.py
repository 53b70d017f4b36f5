"""Why a candidate is not claimed, in either lane."""

from typing import Literal

Rejection = Literal[
    "score", "both ways", "known", "version", "explained", "past", "elsewhere", "faint", "behind", "sounding"
]

REASONS: dict[Rejection, str] = {
    "score": "Its score is below the threshold.",
    "both ways": "It agrees backwards as well, as a steady tone does.",
    "known": "A match that goes on has its track, or the same recording under another name.",
    "version": "A version of its track sounds, and it agrees less than the recording would.",
    "explained": "A match that goes on resembles it, and explains the agreement.",
    "past": "It agrees with what was heard, but not with the newest audio.",
    "elsewhere": "Other places of its track, which sound different, agree nearly as well.",
    "faint": "A version whose background scores are low, and which agrees poorly itself.",
    "behind": "A version, and another piece agrees better.",
    "sounding": "A version, and one sounds already.",
}
