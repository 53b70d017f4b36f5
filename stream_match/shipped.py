"""What travels with the package: the folders of ``models/``.

The repository keeps them in ``models/``, beside the package. A wheel carries the same folders inside the
package, as ``stream_match/models/`` (pyproject.toml, package-dir).
"""

from pathlib import Path

from stream_match.errors import CatalogError

_PACKAGE = Path(__file__).parent


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
