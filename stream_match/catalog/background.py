"""The background on disk: written by a script, loaded beside small catalogues."""

from pathlib import Path

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError, words_of
from stream_match.features.chroma import N_CHROMA
from stream_match.index.background import (
    ENOUGH_TRACKS,
    Background,
    background_segment,
    with_background,
)
from stream_match.index.catalogue import Catalogue
from stream_match.index.coding import Hyperplanes
from stream_match.index.segment import Segment
from stream_match.index.spans import Spans
from stream_match.match import tuning
from stream_match.shipped import shipped

CARD_FILE = "MODEL_CARD.md"
MEANS_FILE = "means.npy"
STARTS_FILE = "starts.npy"
SCALE_FILE = "scale.npy"
SETTINGS_FILE = "settings.json"


def save_background(background: Background, folder: Path) -> None:
    """Write a background into a folder.

    Parameters
    ----------
    background : Background
    folder : Path
        Is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / MEANS_FILE, background.means, allow_pickle=False)
    np.save(folder / STARTS_FILE, background.starts, allow_pickle=False)
    np.save(folder / SCALE_FILE, np.stack([background.least, background.most]), allow_pickle=False)
    (folder / SETTINGS_FILE).write_text(
        background.settings.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )


def load_background(settings: FeatureSettings) -> Background:
    """Load the background that the project ships.

    Parameters
    ----------
    settings : FeatureSettings
        Of the catalogue that it is to stand beside.

    Raises
    ------
    CatalogError
        If it is not there or damaged, or does not fit these settings.
    """
    folder = shipped("background")
    try:
        stored = FeatureSettings.model_validate_json((folder / SETTINGS_FILE).read_bytes())
        names = (STARTS_FILE, MEANS_FILE, SCALE_FILE)
        starts, means, scale = (np.load(folder / name, allow_pickle=False) for name in names)
        background = Background(stored, starts, means, *scale)
    except (OSError, ValueError, TypeError) as error:
        raise CatalogError(f"the background in {str(folder)!r} cannot be read ({words_of(error)})") from error
    if means.shape != (starts[-1], N_CHROMA + stored.shape_coefficients) or means.dtype != np.uint8:
        raise CatalogError(f"the background in {str(folder)!r} contradicts itself")
    if not background.fits(settings):
        raise CatalogError(
            f"a catalogue with these feature settings needs at least {ENOUGH_TRACKS} different tracks "
            "of 15 s: the background, which stands in for them, was made with others"
        )
    return background


_behind: tuple[FeatureSettings, Hyperplanes, Segment] | None = None
"""The background as it was coded last: it is the same for every generation with the same hyperplanes."""


def _background_for(planes: Hyperplanes, settings: FeatureSettings) -> Segment:
    """Return the background as a segment, coded anew only if it has to be."""
    global _behind
    known = _behind
    if known is not None and known[0] == settings and known[1].equal(planes):
        return known[2]
    segment = background_segment(load_background(settings), planes, settings)
    _behind = (settings, planes, segment)
    return segment


def _stands_alone(catalogue: Catalogue) -> bool:
    """Return whether a catalogue has enough different tracks that are long enough."""
    settings, tracks = catalogue.settings, catalogue.tracks
    shortest = Spans.of(settings).positions(tuning.LONGEST_WINDOW_S - settings.span_s)
    long_enough = np.flatnonzero(tracks.length[: len(tracks.named)] >= shortest)
    return len(np.unique(tracks.recording_of(long_enough))) >= ENOUGH_TRACKS


def ready(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue as it is listened with: if need be, a background stands beside it.

    Parameters
    ----------
    catalogue : Catalogue
        Of which it is known which tracks are copies.

    Raises
    ------
    CatalogError
        As `load_background`, if the catalogue needs one.
    """
    if len(catalogue.tracks) > len(catalogue.tracks.named) or _stands_alone(catalogue):
        return catalogue
    return with_background(catalogue, _background_for(catalogue.planes, catalogue.settings))
