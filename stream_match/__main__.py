"""``python -m stream_match``: the command line."""

import sys

from stream_match.cli import main

if __name__ == "__main__":
    sys.exit(main())
