"""Where settings come from: the command line goes before the environment, and that before the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stream_match.config.complaints import Place, sentences
from stream_match.config.environment import from_environment, variable
from stream_match.config.listen_settings import ListenSettings
from stream_match.config.toml import read_toml
from stream_match.errors import UsageError


@dataclass(frozen=True)
class Layer:
    """Settings of one origin.

    Parameters
    ----------
    content : dict
        Keys and values as in the file.
    where : str or None
        What messages call the origin; None for the environment, of which they name the variable.
    """

    content: Mapping[str, Any] = field(repr=False)  # it may hold a password
    where: str | None = None

    def named(self, place: Place) -> str:
        """Return what a message calls a place in it."""
        return self.where or f"the variable {variable(place)}"

    def reaches(self, place: Place) -> bool:
        """Return whether it says something at a place."""
        found: Any = self.content
        for part in place:
            try:
                found = found[part]
            except (LookupError, TypeError):
                return False
        return True


def read_settings(path: str | Path | None, flags: Mapping[str, Any] | None = None) -> ListenSettings:
    """Read the settings from all that holds some.

    Parameters
    ----------
    path : str or Path or None
        A file in TOML.
    flags : mapping, optional
        What the command line says, by key, tables in tables.

    Raises
    ------
    UsageError
        If the file cannot be read, or something is not understood; one sentence.
    """
    return checked(layers(path, flags or {}))


def layers(path: str | Path | None, flags: Mapping[str, Any]) -> list[Layer]:
    """Return what holds settings, the weakest first.

    Raises
    ------
    UsageError
        If the file cannot be read as TOML.
    """
    file = [] if path is None else [Layer(read_toml(Path(path)), str(path))]
    return [*file, Layer(from_environment()), Layer(flags, "the command line")]


def checked(given: Sequence[Layer]) -> ListenSettings:
    """Return the settings that layers make together; raise UsageError if they do not fit."""
    try:
        return ListenSettings.model_validate(_merged(given))
    except ValidationError as error:
        # Without the cause: pydantic's text shows the input, which may hold a password.
        raise UsageError(next(_told(given, error))) from None


def complaints(given: Sequence[Layer]) -> list[str]:
    """Return a sentence for each thing that does not fit; none of them if all does."""
    try:
        ListenSettings.model_validate(_merged(given))
    except ValidationError as error:
        return list(_told(given, error))
    return []


def _told(given: Sequence[Layer], error: ValidationError) -> Iterator[str]:
    for place, sentence in sentences(ListenSettings, error.errors()):
        yield f"{_origin(given, place).named(place)}: {sentence}"


def _origin(given: Sequence[Layer], place: Place) -> Layer:
    """Return the strongest layer that says something at a place, or else around it."""
    for end in range(len(place), 0, -1):
        for layer in reversed(given):
            if layer.reaches(place[:end]):
                return layer
    return given[0]


def _merged(given: Sequence[Layer]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in given:
        merged = _over(merged, layer.content)
    return merged


def _over(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Put one table over another one; tables in them are joined, all else is replaced."""
    joined = dict(weak)
    for key, value in strong.items():
        before = joined.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            joined[key] = _over(before, value)
        else:
            joined[key] = value
    return joined
