"""A stretch of what was heard becomes a track of an index: "find this ever after"."""

import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.uri import slug
from stream_match.catalog.edit import add_tracks
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.store import open_index
from stream_match.clips.encoding import encoded
from stream_match.errors import UsageError
from stream_match.shipped import refuse_to_change

MARKED = "marked/"
"""How the ids of marked tracks begin. `update_index` leaves them: their audio is in no folder."""

LEAST_S = 3.0
"""Shortest stretch that may be marked, and the least of it that must be audible [seconds]. Shorter ones
are over before a match is known; `docs/clips.md` has the figures (`scripts/evaluate_clips.py`)."""

MOST_S = 3600.0
"""Longest stretch that may be marked [seconds]."""

MOST_LETTERS = 200
"""Longest name [characters]."""

MOST_ID_BYTES = 200
"""Longest id of a marked track [bytes of UTF-8]. The id becomes the name of a file, which may have 255."""

_LEVEL_SAMPLES = SAMPLE_RATE_HZ // 10


def mark_track(index: Path, y: npt.NDArray[np.int16], name: str) -> str:
    """Add a stretch of audio to an index.

    Parameters
    ----------
    index : Path
    y : np.ndarray [shape=(n,), dtype=int16]
        Mono, at `SAMPLE_RATE_HZ`.
    name : str
        The title of the track; its id follows from it.

    Returns
    -------
    str
        The id, ``marked/NAME``.

    Raises
    ------
    UsageError
        If the stretch is too short, too long or silent, the name says nothing, or the index has a track of
        that name already, or comes with the package.
    CatalogError
        If the index cannot be loaded or written.
    """
    refuse_to_change(index)
    track_id = marked_id(name)
    check_stretch(y, silence_dbfs=read_manifest(index).settings.silence_dbfs)
    if any(row.id == track_id for row in open_index(index, descriptors=False).rows):
        raise UsageError(
            f"The index {str(index)!r} has a track {track_id!r} already: give another name, or remove that "
            "one first with stream-match index remove."
        )
    with tempfile.TemporaryDirectory(prefix="stream-match-") as folder:
        path = Path(folder, f"{track_id}.flac")
        path.parent.mkdir()
        path.write_bytes(encoded(y, "flac", title=name))
        add_tracks(index, [Path(folder)], jobs=1, progress=False)
    return track_id


def marked_id(name: str) -> str:
    """Return the id of a marked track.

    Parameters
    ----------
    name : str
        What a person calls it. Letters of any script serve.

    Returns
    -------
    str
        ``marked/`` and the words of `name`, in lower case, joined by dashes. Accents are dropped if all words
        are in ASCII without them. At most `MOST_ID_BYTES` long.

    Raises
    ------
    UsageError
        If there is neither a letter nor a digit in it, or it is too long.
    """
    words = _words(name)
    if not words:
        raise UsageError(f"{name[:60]!r} is no name for a reference: give one with letters or digits.")
    plain = [slug(word) if _has_slug(word) else "" for word in words]
    track_id = MARKED + "-".join(plain if all(plain) else words)
    if len(name) > MOST_LETTERS or len(track_id.encode()) > MOST_ID_BYTES:
        raise UsageError(
            f"The name {name[:30]!r}… is too long for a reference: give one of {MOST_LETTERS} characters, "
            f"and {MOST_ID_BYTES - len(MARKED)} bytes of UTF-8 in its words, at most."
        )
    return track_id


def _words(name: str) -> list[str]:
    r"""Return the words of a text, in lower case; unlike in ``\w+``, vowel signs are a part of them."""
    kinds = [(one, unicodedata.category(one)[0]) for one in unicodedata.normalize("NFC", name.lower())]
    words = "".join(one if one == "_" or kind in "LMN" else " " for one, kind in kinds).split()
    return [word for word in words if any(one == "_" or one.isalnum() for one in word)]


def _has_slug(word: str) -> bool:
    """Say whether a word is in ASCII but for its accents: `slug` would drop everything else."""
    letters = [one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one)]
    return "".join(letters).isascii()


def check_stretch(y: npt.NDArray[np.int16], *, silence_dbfs: float) -> None:
    """Refuse audio that makes no reference.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=int16]
    silence_dbfs : float
        Tenths of a second whose RMS level is below this are silent [dB relative to full scale].

    Raises
    ------
    UsageError
        One sentence that says how long it is, and how long it should be.
    """
    length_s = round(y.size / SAMPLE_RATE_HZ, 2)
    if not LEAST_S <= length_s <= MOST_S:
        raise UsageError(
            f"The stretch is {length_s:.1f} s long: a reference needs {LEAST_S:g} s at least, and may have "
            f"{MOST_S:.0f} s."
        )
    frames = y[: y.size - y.size % _LEVEL_SAMPLES].reshape(-1, _LEVEL_SAMPLES).astype(np.float32) / 32_768
    power = np.mean(np.square(frames), axis=1)
    audible_s = round(length_s - 0.1 * np.count_nonzero(power < 10 ** (silence_dbfs / 10)), 2)
    if audible_s < LEAST_S:
        raise UsageError(
            f"Of the stretch's {length_s:.1f} s, {audible_s:.1f} s are audible: a reference needs "
            f"{LEAST_S:g} s of sound; take another stretch."
        )
