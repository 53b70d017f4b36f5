"""What travels with the package: the folders of ``models/``.

The repository keeps them in ``models/``, beside the package. A wheel carries the same folders inside the
package, as ``stream_match/models/`` (pyproject.toml, package-dir).
"""

import shlex
from pathlib import Path

from stream_match.errors import CatalogError, UsageError

_PACKAGE = Path(__file__).parent

NAMES = ("background", "demo", "onsets", "schema", "shapes")
"""The folders that travel. Beside them in a checkout stand those that users make."""


def shipped(name: str) -> Path:
    """Find a folder of ``models/``, in an installed package or in a checkout.

    Parameters
    ----------
    name : str
        Name of the folder, such as ``demo``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CatalogError
        If it is not there.
    """
    folder = place_of(name)
    if not folder.is_dir():
        raise CatalogError(
            f"models/{name}, which comes with stream-match, is not at {str(folder)!r}: install it again"
        )
    return folder


def place_of(name: str) -> Path:
    """Say where a folder of ``models/`` is, or would be.

    Parameters
    ----------
    name : str
    """
    installed = _PACKAGE / "models"
    # Once installed, what stands beside the package belongs to other packages.
    return (installed if installed.is_dir() else _PACKAGE.parent / "models") / name


def refuse_to_change(index: Path) -> None:
    """Refuse to write into an index that travels with the package: the next update would undo it.

    Parameters
    ----------
    index : Path

    Raises
    ------
    UsageError
        One sentence that says how to make a copy.
    """
    place = index.resolve()
    if any(place.is_relative_to(place_of(name).resolve()) for name in NAMES):
        raise UsageError(
            f"The index {str(index)!r} comes with stream-match and stays as it is: make a copy with "
            f"cp -r {shlex.quote(str(index))} my-index, and use that (--index my-index)."
        )
