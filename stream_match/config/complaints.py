"""What is said of settings that do not fit."""

import difflib
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from stream_match.config.settings import Settings


def sentence(model: type[Settings], errors: list[ErrorDetails]) -> str:
    """Say what is wrong with a value or a key, never showing a text that may be a secret."""
    # A misspelt key is missing, too: the spelling is what to tell.
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        known = sorted(_keys(model, error["loc"][:-1]))
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
        return f"the key {where!r} is not known; {meant}"
    given = error["input"]
    # A number where a text is expected may be a password without quotes.
    shown = f" is {given!r}" if isinstance(given, int | float) and error["type"] not in _TEXTS else ""
    told = _TOLD[error["type"]].format_map(error.get("ctx", {})) if error["type"] in _TOLD else error["msg"]
    return f"{where!r}{shown}: {told}."


_TEXTS = ("string_type", "dict_type")
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


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at a place inside `model` has."""
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Find the model in ``Model`` or ``tuple[Model, ...]``."""
    inner = getattr(annotation, "__args__", (annotation,))[0]
    assert isinstance(inner, type)
    assert issubclass(inner, BaseModel)  # pydantic reports unknown keys of models only
    return inner
