"""``devices``: the microphones."""

import argparse
import json
import sys
from dataclasses import asdict

from stream_match.capture.microphone import list_microphones
from stream_match.cli import complain


def run(args: argparse.Namespace) -> int:
    """Run ``devices``; return the exit status."""
    microphones = list_microphones()
    for microphone in microphones:
        about = f"{microphone.channels} ch, {microphone.rate_hz} Hz, {microphone.host_api}"
        line = f"mic:{microphone.name}   ({about})"
        sys.stdout.write((json.dumps(asdict(microphone), ensure_ascii=False) if args.json else line) + "\n")
    if not microphones:
        complain("No microphone was found.")
    return 0
