"""What is said of settings that do not fit."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from stream_match.config.settings import Settings
from stream_match.config.sink_settings import FORMS

Place = tuple[int | str, ...]
"""Keys, and numbers in lists, that lead to a setting."""


def sentences(model: type[Settings], errors: Sequence[ErrorDetails]) -> Iterator[tuple[Place, str]]:
    """Say what is wrong with values and keys, never showing a text that may be a secret.

    Parameters
    ----------
    model : type of settings
        What does not fit.
    errors : sequence
        As pydantic tells them.

    Yields
    ------
    place : tuple
        Where it is wrong.
    sentence : str
        What is wrong; misspelt keys first.
    """
    places = [tuple(part for part in error["loc"] if part not in FORMS) for error in errors]
    found = list(zip(places, errors, strict=True))
    misspelt = [(place, error) for place, error in found if error["type"] == "extra_forbidden"]
    for place, _ in misspelt:
        yield place, _unknown(model, place)
    tables = {place[:-1] for place, _ in misspelt}
    for place, error in found:
        # A misspelt key is missing, too: the spelling is what to tell.
        lacking = error["type"] == "missing" and place[:-1] in tables
        if error["type"] != "extra_forbidden" and not lacking:
            yield place, _told(place, error)


def _unknown(model: type[Settings], place: Place) -> str:
    known = sorted(_keys(model, place[:-1]))
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
    return f"the key {_shown(place)!r} is not known; {meant}"


def _told(place: Place, error: ErrorDetails) -> str:
    given = error["input"]
    # A number where a text is expected may be a password without quotes.
    secret = error["type"] in _TEXTS or place[-1] in _SECRETS
    shown = f" is {given!r}" if isinstance(given, int | float) and not secret else ""
    told = _TOLD[error["type"]].format_map(error.get("ctx", {})) if error["type"] in _TOLD else error["msg"]
    return f"{_shown(place)!r}{shown}: {told}."


def _shown(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


_TEXTS = ("string_type", "dict_type")
_SECRETS = ("password", "token")
_TOLD = {
    "missing": "it is missing",
    "literal_error": "expected {expected}",
    "string_pattern_mismatch": "only lower-case letters, digits, '_' and '-' may stand in a name",
    "string_too_short": "it is empty",
    "string_too_long": "at most {max_length} letters may stand in it",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number",
    "float_type": "write a number, without quotes",
    "finite_number": "write a finite number",
    "greater_than": "write a number above {gt:g}",
    "greater_than_equal": "write a number from {ge:g} up",
    "less_than_equal": "write a number up to {le:g}",
    "multiple_of": "write a multiple of {multiple_of:g}",
    "string_type": "write a text, in quotes",
    "path_type": "write a text, in quotes",
    "tuple_type": "write a list, in square brackets",
    "dict_type": "write a table of texts",
    "model_type": "write a table of settings",
}
"""The library's types of errors in plain words."""


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """Return the keys that the model at a place inside `model` has."""
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Find the model in ``Model``, ``tuple[Model, ...]`` or ``tuple[Annotated[…, has a .model], ...]``."""
    inner = (get_args(annotation) or (annotation,))[0]
    for mark in getattr(inner, "__metadata__", ()):
        inner = getattr(mark, "model", inner)
    assert isinstance(inner, type)
    assert issubclass(inner, BaseModel)  # pydantic reports unknown keys of models only
    return inner
