"""Files in TOML."""

import re
import tomllib
from pathlib import Path
from typing import Any

from stream_match.errors import UsageError

LONGEST_BYTES = 1_000_000
"""What is longer was meant as something else."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file in TOML.

    Raises
    ------
    UsageError
        If it cannot be read or is none; one sentence.
    """
    shown = repr(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_BYTES + 1)
        if len(data) > LONGEST_BYTES:
            raise UsageError(
                f"The settings {shown} are longer than {LONGEST_BYTES} bytes: is it the right file?"
            )
        return tomllib.loads(data.decode("utf-8-sig"))  # Windows writes a mark in front
    except OSError as error:
        raise UsageError(f"The settings {shown} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The settings {shown} are not UTF-8: save them with the encoding UTF-8.") from error
    except (ValueError, RecursionError) as error:
        # It may quote an address with a password in it.
        why = "too deep" if isinstance(error, RecursionError) else re.sub(r"\S*@", "***@", str(error))
        raise UsageError(f"The settings {shown} are no valid TOML: {why}.") from None
