"""A connection to the scheduler of a Dask cluster, and what Dask is kept from saying."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stream_match.errors import CatalogError, UsageError, install_command

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 10.0

_LOGGERS = ("distributed", "distributed.client", "tornado", "asyncio")


def checked_address(address: str) -> str:
    """Return an address that is one of a scheduler.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.

    Raises
    ------
    UsageError
        If it is another one. It is not shown: it may hold a password.
    """
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("tcp", "tls") and parts.netloc == f"{_host(parts.hostname)}:{parts.port}"
        rest = parts.path or parts.query or parts.fragment
    except ValueError:
        fits, rest = False, ""
    if not fits or rest:
        raise UsageError(
            "the address of a cluster is not understood: expected tcp://HOST:8786 or tls://HOST:8786, and "
            "nothing else in it"
        )
    return address


def _host(name: str | None) -> str:
    return f"[{name}]" if name and ":" in name else str(name)


def open_client(address: str) -> "Client":
    """Connect to a scheduler.

    Parameters
    ----------
    address : str
        From `checked_address`.

    Raises
    ------
    UsageError
        If Dask is not configured for it.
    CatalogError
        If no scheduler answers.
    """
    from distributed import Client

    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (TypeError, ValueError, RuntimeError, FileNotFoundError) as error:
        raise UsageError(
            f"{address} cannot be connected to as Dask is configured ({in_a_line(error)}): tls:// needs "
            "distributed.comm.tls.ca-file, and .client.cert and .client.key, in Dask's configuration"
        ) from error
    except (OSError, ImportError) as error:
        raise CatalogError(
            f"no Dask scheduler answers at {address} within {_CONNECT_S:.0f} s: see whether it runs, and "
            "what is between"
        ) from error


def in_a_line(error: Exception) -> str:
    """Return what an error is and says, not too much of it."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask from logging what is said in a sentence here, or concerns nobody.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import distributed  # noqa: F401 - it sets the levels of its logs
    except ImportError:
        raise UsageError(f"a cluster needs Dask, which is not installed: {install_command('dask')}") from None
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
