"""Types of arguments that are numbers within bounds."""

import argparse
import math


def at_least_one(text: str) -> int:
    """Return a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def positive(text: str) -> float:
    """Return a finite number above 0."""
    number = finite(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def seconds(text: str) -> float:
    """Return a finite number of seconds from 0 up."""
    number = finite(text)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 up")
    return number


def finite(text: str) -> float:
    """Return a finite number; NaN if the text is none, which no bound admits."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
