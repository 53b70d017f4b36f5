"""``genre``: the genre of files, by a model that somebody has trained."""

import argparse
import json
from pathlib import Path

from stream_match.cli.terminal import complain, say, say_json
from stream_match.errors import SourceError
from stream_match.offline.genre.naming import Named, find_model, name_genre


def run(args: argparse.Namespace) -> int:
    """Run ``genre``; return the exit status."""
    model = find_model(args.model)
    status = 0
    for file in args.files:
        try:
            named = name_genre(Path(file), model)
        except SourceError as error:
            complain(error)
            status = 1
            if args.json:
                say_json(json.dumps({"file": file, "error": str(error)}))
            continue
        if args.json:
            say_json(json.dumps(_as_json(named)))
        else:
            say(_told(named))
    return status


def _as_json(named: Named) -> dict[str, object]:
    told = named.told
    return {
        "file": named.file,
        "genre": told.genre,
        "probability": round(told.probability, 4),
        "likeliest": told.likeliest,
        "runner_up": told.runner_up,
        "reason": told.reason,
        "rows": named.rows,
    }


def _told(named: Named) -> str:
    told = named.told
    if told.genre is not None:
        return f"{named.file}: {told.genre} ({told.probability:.0%}; then {told.runner_up})"
    if told.reason == "unfamiliar":
        return f"{named.file}: unfamiliar (unlike all music that the model was trained on)"
    return f"{named.file}: unsure ({told.likeliest} {told.probability:.0%}; then {told.runner_up})"
