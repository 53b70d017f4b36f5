"""The genre of a file, by a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_match.catalog.genre_models import read_genre_model
from stream_match.catalog.genre_place import standing_model
from stream_match.descriptors.genre_model import GenreModel, GenreTold
from stream_match.descriptors.sets import set_named
from stream_match.errors import UsageError
from stream_match.offline.tables.described import describe_windows
from stream_match.shipped import place_of

FOLDER = "genre"
"""Of ``models/``: where a user may keep the model that is asked by default."""


@dataclass(frozen=True)
class Named:
    """What a model says of a file.

    Parameters
    ----------
    file : str
    told : GenreTold
    rows : int
        Windows that were asked about.
    """

    file: str
    told: GenreTold
    rows: int


def find_model(folder: Path | None) -> GenreModel:
    """Read a model, by default that in ``models/genre``.

    Parameters
    ----------
    folder : Path or None

    Raises
    ------
    UsageError
        If none is given, and there is none in ``models/genre``: none comes with the program.
    CatalogError
        As `read_genre_model`.
    """
    place = folder or place_of(FOLDER)
    if folder is None and not standing_model(place).exists():
        raise UsageError(
            f"no model of genres comes with stream-match, and there is none at {str(place)!r}: give --model, "
            "or train one of your music with scripts/train_genre.py FOLDER --report HTML --model DIR."
        )
    return read_genre_model(place)


def name_genre(path: Path, model: GenreModel) -> Named:
    """Describe a file as the model wants it, and ask for its genre: the mean over its windows.

    Parameters
    ----------
    path : Path
    model : GenreModel

    Raises
    ------
    SourceError
        If it cannot be decoded, or is too short.
    """
    sets = [describe_windows(path, set_named(name), model.window_seconds) for name in model.sets]
    rows = np.concatenate(sets, axis=1)
    probabilities = model.probabilities(rows).mean(axis=0)
    told = model.decide(probabilities, float(model.unfamiliar(rows).mean()))
    return Named(str(path), told, len(rows))
