"""What sources are heard with: loops are compiled, indexes and models loaded, and engines made of them."""

import importlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from stream_match.config import HeardSettings, ListenSettings
from stream_match.service import CurrentCatalogue, EnginePort, FolderOrigin, Hearing, Origin

if TYPE_CHECKING:
    from stream_match.descriptors.genre_model import GenreModel
    from stream_match.index.port import CataloguePort

log = logging.getLogger(__name__)

LOOPS = ("harmony_kernels", "keyed_sums", "kernels", "search_kernels")
"""Modules of `stream_match.index` whose loops are compiled when they are imported."""

_SLOW_S = 3.0
"""To load loops that were compiled before takes half a second; on a slow disk, more."""


class Hearings:
    """Makes what sources are heard with. Sources with the same index, or model, share it.

    An index is forgotten when nobody listens with it any more.
    """

    def __init__(self) -> None:
        self._prepared: dict[HeardSettings, Hearing] = {}
        self._catalogues: WeakValueDictionary[Path | str, CurrentCatalogue[CataloguePort]] = (
            WeakValueDictionary()
        )
        self._genres: WeakValueDictionary[Path, GenreModel] = WeakValueDictionary()

    def __call__(self, settings: HeardSettings) -> Hearing:
        """Make what a source is heard with.

        Parameters
        ----------
        settings : HeardSettings

        Raises
        ------
        CatalogError
            If an index or a model cannot be loaded.
        """
        if (prepared := self._prepared.pop(settings, None)) is not None:
            return prepared
        catalogue = None if settings.index is None else self._catalogue(settings.index)
        genres = None if settings.genre_model is None else self._genre_model(settings.genre_model)
        return Hearing(settings, _engines(settings, catalogue, genres), catalogue)

    def prepare(self, settings: ListenSettings) -> None:
        """Make what all sources are heard with, so that it is there when it is asked for."""
        wanted = dict.fromkeys(map(settings.heard, settings.sources))
        self._prepared = {heard: self(heard) for heard in wanted}

    @property
    def any_index(self) -> bool:
        """Whether anybody listens with an index."""
        return bool(self._catalogues)

    def has_track(self, track_id: str) -> bool:
        """Whether an index that is listened with has a track of an id."""
        catalogues = list(self._catalogues.values())
        return any(track.id == track_id for one in catalogues for track in one.newest.tracks.named)

    @property
    def any_remote(self) -> bool:
        """Whether anybody listens with an index on a server."""
        return any(isinstance(index, str) for index in self._catalogues)

    def _catalogue(self, index: Path | str) -> "CurrentCatalogue[CataloguePort]":
        known = self._catalogues.get(index)
        if known is None:
            _compile_loops()
            known = self._catalogues[index] = _catalogue(index)
        return known

    def _genre_model(self, folder: Path) -> "GenreModel":
        known = self._genres.get(folder)
        if known is None:
            known = self._genres[folder] = _genre_model(folder)
        return known


def _compile_loops() -> None:
    """Compile what has to be compiled before a source is opened: else its audio would have to wait."""
    began = time.monotonic()
    for name in LOOPS:
        importlib.import_module(f"stream_match.index.{name}")
    took_s = time.monotonic() - began
    if took_s > _SLOW_S and importlib.import_module("stream_match.index.compiled").compiled_anew:
        log.info(
            "compiling took %.0f s; the next start is quicker, if the user's cache or NUMBA_CACHE_DIR "
            "can be written",
            took_s,
        )


def _genre_model(folder: Path) -> "GenreModel":
    """Read a model, and load what its descriptors need before a source is opened."""
    import numpy as np

    from stream_match.catalog.genre_models import read_genre_model
    from stream_match.descriptors.sets import SAMPLE_RATE_HZ, set_named

    model = read_genre_model(folder)
    for name in model.sets:
        set_named(name).describe([np.zeros(SAMPLE_RATE_HZ * 10, np.float32)])
    return model


def _catalogue(index: Path | str) -> "CurrentCatalogue[CataloguePort]":
    """Load an index, and be ready to look for newer generations of it."""
    return CurrentCatalogue(_origin(index), _count)


def _origin(index: Path | str) -> "Origin[CataloguePort]":
    if isinstance(index, str):
        from stream_match.milvus.address import MilvusAddress
        from stream_match.milvus.origin import MilvusOrigin

        return MilvusOrigin(MilvusAddress.parse(index))
    from stream_match.catalog import load_index
    from stream_match.catalog.manifest import MANIFEST_FILE

    return FolderOrigin(index / MANIFEST_FILE, lambda: load_index(index))


def _count(catalogue: "CataloguePort") -> int:
    return len(catalogue.tracks.named)


def _engines(
    settings: HeardSettings,
    catalogue: "CurrentCatalogue[CataloguePort] | None",
    genres: "GenreModel | None",
) -> Callable[[], EnginePort]:
    """Return what makes engines with the lanes that are wanted, with the newest catalogue each."""
    from stream_match.engine import Engine

    onsets = settings.onsets if settings.onsets.enabled else None
    return lambda: Engine(
        None if catalogue is None else catalogue.newest,
        settings.match,
        onsets,
        sounds_like=settings.sounds_like,
        genres=genres,
    )
