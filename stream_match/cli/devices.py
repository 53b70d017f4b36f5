"""``devices``: the microphones."""

import argparse
import json
from dataclasses import asdict

from stream_match.capture.microphone import list_microphones
from stream_match.cli.terminal import complain, say, say_json


def run(args: argparse.Namespace) -> int:
    """Run ``devices``; return the exit status."""
    microphones = list_microphones()
    for microphone in microphones:
        if args.json:
            say_json(json.dumps(asdict(microphone), ensure_ascii=False))
        else:
            about = f"{microphone.channels} ch, {microphone.rate_hz} Hz, {microphone.host_api}"
            say(f"mic:{microphone.name}   ({about})")
    if not microphones:
        complain("No microphone was found.")
    return 0
