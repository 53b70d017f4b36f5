"""One sentence on why a track was claimed, or why not."""

from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.explain.watch import History, Watch
from stream_match.identify import Finding, Identification
from stream_match.match.tracking.trace import Rejection

_SENTENCES: dict[Rejection, str] = {
    "score": "its score reached {score:.1f} at best, and a claim needs {threshold:.1f}",
    "both ways": "what was heard agrees with it read backwards as well, as a steady tone does",
    "known": "{other}, which is claimed, is the same recording",
    "version": "a version of it sounds, and it agrees less than the recording itself would",
    "explained": "{other}, which is claimed, resembles it enough to explain the agreement",
    "past": "it agrees with what was heard, but not with the newest of it: it does not sound now",
    "elsewhere": "other places of it, which sound different, agree nearly as well: a loop, perhaps",
    "faint": "it stands out of low background scores, but agrees poorly itself",
    "behind": "another piece agrees better",
    "sounding": "{other} sounds already, and versions are told one at a time",
}


def name_of(track: Track) -> str:
    """Return what a person calls a track."""
    return " – ".join(filter(None, (track.title or track.id, track.artist)))


def reason(
    settings: FeatureSettings,
    watch: Watch,
    identified: Identification,
    track: Track | None,
    found: Finding | None,
    threshold: float,
) -> str:
    """Return the sentence.

    Parameters
    ----------
    settings : FeatureSettings
    watch : Watch
        Has seen the whole file.
    identified : Identification
        All that was found in the file.
    track : Track or None
        What is explained; None if nothing in the catalogue came near.
    found : Finding or None
        Where it was found.
    threshold : float
        Score from which it is claimed.
    """
    if found is not None and found.claimed:
        return f"Claimed: its score reached {found.score:.1f}, and a claim needs {threshold:.1f}."
    if not watch.lanes["recording"].stream_s:
        return f"Too short: {identified.seconds:.1f} s are here, and {_needed_s(settings):.1f} s are needed."
    if not watch.audible.any():
        span_s, level = min(settings.span_s, identified.seconds), settings.silence_dbfs
        return f"Silence: nowhere is more than half of {span_s:.1f} s louder than {level:.0f} dBFS."
    if track is None:
        return "Not claimed: the votes proposed no place in the catalogue that is worth a look."
    lane = watch.lanes["recording" if found is None else found.kind]
    stood = lane.best.get(track.id)
    if stood is None or stood.rejection is None:
        return f"Not claimed: {_unseen(lane, track)}."
    other = _other(identified, track)
    told = _SENTENCES[stood.rejection].format(score=stood.score, threshold=threshold, other=other)
    return f"Not claimed: {told}."


def instead(identified: Identification, why: str) -> str:
    """Return what is claimed, as a sentence to follow `why` another track is not; empty if that names it."""
    best = next((match for match in identified.matches if match.claimed), None)
    if best is None or why.startswith("Claimed") or name_of(best.track) in why:
        return ""
    return f" Claimed is {name_of(best.track)} (score {best.score:.1f})."


def _needed_s(settings: FeatureSettings) -> float:
    """Return how much must be heard before the first decision: a position's worth of codes."""
    listening = settings.listening()
    return listening.first_span_s + (listening.code_stride_frames - 1) * listening.frame_s


def _unseen(lane: History, track: Track) -> str:
    """Say why a track was never scored."""
    times = sum(track.id in votes for votes in lane.votes)
    if times == 0:
        return "the votes never proposed it"
    return f"the votes proposed it at {times} of {len(lane.votes)} looks, but other places promised more"


def _other(identified: Identification, track: Track) -> str:
    """Name the match that stands in the way of a track: the same recording, or the best that is claimed."""
    claimed = [match for match in identified.matches if match.claimed]
    same = [match for match in claimed if track in match.evidence.same_recording]
    return next((name_of(match.track) for match in [*same, *claimed]), "Another track")
