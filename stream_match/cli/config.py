"""``config``: settings checked, described, and shown by an example."""

import argparse
import json

from stream_match.cli.config_check import mistakes, suspicions
from stream_match.cli.terminal import complain, say, say_json
from stream_match.config import ListenSettings
from stream_match.config.layers import checked, layers
from stream_match.config.schema import EXAMPLE, json_schema


def check(args: argparse.Namespace) -> int:
    """Run ``config check``; return the exit status."""
    given = layers(args.file, {})
    wrong = mistakes(given)
    settings = ListenSettings() if wrong else checked(given)
    doubts = [] if wrong else list(suspicions(settings, given[0]))
    for sentence in wrong:
        complain(sentence)
    for sentence in doubts:
        complain(f"warning: {sentence}")
    if not wrong:
        say(f"{args.file}: no mistakes; warnings: {len(doubts)}")
    return 2 if wrong else 0


def schema(_: argparse.Namespace) -> int:
    """Run ``config schema``; return the exit status."""
    say_json(*json.dumps(json_schema(), indent=2, ensure_ascii=False).splitlines())
    return 0


def example(_: argparse.Namespace) -> int:
    """Run ``config example``; return the exit status."""
    say(*EXAMPLE.read_text(encoding="utf-8").splitlines())
    return 0
