"""The port through which audio comes in: blocks of samples from a source."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 22_050
"""Rate of every block that leaves `capture`; the features are defined at it."""


@dataclass(frozen=True)
class Block:
    """A stretch of audio as the engine takes it.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono samples at `SAMPLE_RATE_HZ`, full scale 1; the receiver owns them. May be empty
        when the block only carries a gap or metadata.
    gap_s : float, >= 0 [seconds]
        Audio known to be missing just before `y`. Stream time moves on by it.
    overrun_s : float, 0 <= overrun_s <= gap_s [seconds]
        As much of the gap was lost by overrun: a queue or a device's buffer was full. The rest was
        missing in the stream itself.
    discontinuity : bool
        True if `y` does not continue what came before, be the loss of known length or not
        (overrun, reconnect): history must be reset.
    metadata : mapping of str to str
        What the stream says of itself from here on (``{"StreamTitle": "…"}``); mostly empty.
    """

    y: npt.NDArray[np.float32]
    gap_s: float = 0.0
    overrun_s: float = 0.0
    discontinuity: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where audio comes from: a file, a URL, a microphone, standard input, the demo.

    A source can be opened any number of times, one after the other; each call of `blocks`
    opens it anew.
    """

    @property
    def name(self) -> str:
        """Name in topics and events, ``[a-z0-9_-]+``, stable over restarts."""

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""

    @property
    def live(self) -> bool:
        """True if audio comes whether or not we keep up, and an end is an interruption.

        A live source drops audio when the reader is slow (counted, marked as a gap) and is
        opened again by the service when it ends; any other waits for its reader and ends once.
        What lies behind a URL is known only when it has been opened: ask after the first block.
        """

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Open the source and yield its audio in blocks of any length, until it ends.

        Closing the iterator (``aclose``) releases file, socket or device.

        Raises
        ------
        SourceError
            If it cannot be opened or breaks off; ``retry`` says whether to try again.
        """
