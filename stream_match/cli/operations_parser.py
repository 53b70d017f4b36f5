"""The arguments of the commands that look after a listener."""

import argparse
from pathlib import Path


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; the rest overrides them")
    parser.add_argument("--source", action="append", metavar="URI", help="what to listen to; may be repeated")
    parser.add_argument("--sink", action="append", metavar="URI", help="where events go; may be repeated")
    parser.add_argument("--index", type=Path, metavar="DIR", help="folder of the index")
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder of the state")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per check")


def add_health_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``health``."""
    parser.add_argument(
        "--web",
        default="127.0.0.1:8765",
        metavar="HOST:PORT",
        help="where the listener shows its page; 127.0.0.1:8765 by default",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for any trouble")
