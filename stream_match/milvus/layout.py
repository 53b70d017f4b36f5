"""What an index looks like on a Milvus server: its collections, their names, and their rows.

    NAME                    alias of the generation that is listened with
    NAME_TOKEN_gNUMBER      a generation: empty, its description names a manifest
    NAME_TOKEN_files        manifests, hyperplanes, rows of tracks, LSH tables: in chunks, by their SHA-256
    NAME_TOKEN_codes        one code a row, searched by Hamming distance
    NAME_TOKEN_blocks       64 positions a row, read along lines
    NAME_TOKEN_shingles     one shingle a row, searched by inner product
    NAME_TOKEN_steps        64 steps of coarse chroma a row
    NAME_lock               while the alias is switched

A token belongs to one push; no two pushes write into the same collections. A generation is immutable: another
one is another collection, and switching the alias is the only moment at which anything changes for listeners.
A generation's files are named by their contents, so that the next one shares what has not changed.

A **position** is the number of a code in all of an index, 64 bits wide, given once and never again. Track
``i`` of a segment has the positions ``code_at[i]`` to ``code_at[i] + codes - 1``; ``code_at[i]`` is a
multiple of `BLOCK`, and -1 for tracks that had been removed before they were pushed. Steps of coarse chroma
have positions of their own in the same way, ``step_at``. The key of a shingle is the position of its oldest
step. No two tracks share a block; what a last block has beyond its track is zero.

Rows with positions that no track of a generation has belong to tracks that are just added or removed, or are
what a killed writer has left: they are passed over. Rows that a generation needs may be gone as soon as the
alias stands for another one.
"""

import re
import secrets
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.errors import UsageError
from stream_match.features.chroma import N_CHROMA
from stream_match.index.coding import HASHED_STRIDE, TrackCodes
from stream_match.index.shingles import HALF

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

BLOCK = 64
"""Positions, and steps, of a block."""

_ROW_BYTES = 1 << 12
"""A binary vector has 2**15 bits at most."""

CHUNK_BYTES = _ROW_BYTES
"""Bytes of a file in one row."""

FILES, CODES, BLOCKS, SHINGLES, STEPS = "files", "codes", "blocks", "shingles", "steps"
KINDS = (FILES, CODES, BLOCKS, SHINGLES, STEPS)

CODE_KEY, CODE = "pos", "code"
"""Fields of `CODES`: the position, INT64; the code, BINARY_VECTOR of ``n_bits``."""

BLOCK_KEY, DATA = "block", "data"
"""Fields of `BLOCKS` and `STEPS`: a position // `BLOCK`, INT64; bytes, BINARY_VECTOR."""

SHINGLE_KEY, SHINGLE = "step", "shingle"
"""Fields of `SHINGLES`: the position of the oldest step, INT64; FLOAT_VECTOR of `SHINGLE_WIDTH`."""

CHUNK_KEY, CHUNK_LENGTH = "chunk", "length"
"""Fields of `FILES` beside `DATA`: from `chunk_key`, VARCHAR; how many bytes count, INT32."""

SHINGLE_WIDTH = 2 * HALF
STEP_BLOCK_BYTES = BLOCK * N_CHROMA

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
TOKEN = r"[0-9a-f]{18}"  # noqa: S105  (a name, no secret)
_CLOCK_SHIFT = 21
"""A millisecond of the clock stands for 2**21 positions, 108 h of audio: nobody pushes these in less."""


def checked_name(name: str) -> str:
    """Return the name of an index, if it can be one.

    Parameters
    ----------
    name : str
        It becomes the beginning of collections' names.

    Raises
    ------
    UsageError
        If it has other characters, is too long, or looks like that of a collection of an index.
    """
    if not _NAME.fullmatch(name) or re.search(rf"_{TOKEN}_|_lock$", name):
        raise UsageError(
            f"{name[:120]!r} cannot name an index on Milvus: expected a letter, then letters, digits and "
            "underscores, 100 at most"
        )
    return name


def new_token(now_ms: int) -> str:
    """Return a token for a push [18 hexadecimal digits]: tokens of later pushes are greater.

    Parameters
    ----------
    now_ms : int
        Milliseconds of the wall clock.
    """
    return f"{now_ms:012x}{secrets.token_hex(3)}"


def pushed_at_ms(token: str) -> int:
    """Return when a token was given, in milliseconds of the clock of who pushed."""
    return int(token[:12], 16)


def first_position(now_ms: int, beyond: int = 0) -> int:
    """Return where the positions of a push begin, so that no two pushes have any in common.

    They follow from the clock, for a push that broke off has told nobody which ones it used.

    Parameters
    ----------
    now_ms : int
        Milliseconds of the wall clock.
    beyond : int
        The first position that no generation of the index has used: a clock may have been turned back.

    Returns
    -------
    int
        A multiple of `BLOCK`.
    """
    return max(now_ms << _CLOCK_SHIFT, -(-beyond // BLOCK) * BLOCK)


def positions_of(lengths: Int64, first: int) -> tuple[Int64, int]:
    """Return where tracks begin that follow one another, each in blocks of its own.

    Parameters
    ----------
    lengths : np.ndarray [shape=(n_tracks,), dtype=int64]
        Positions, or steps, of each track.
    first : int
        From `first_position`.

    Returns
    -------
    at : np.ndarray [shape=(n_tracks,), dtype=int64]
        Multiples of `BLOCK`.
    beyond : int
        The first position that is free again.
    """
    whole = -(-lengths // BLOCK) * BLOCK
    at = first + np.cumsum([0, *whole.tolist()], dtype=np.int64)
    return at[:-1], int(at[-1])


@dataclass(frozen=True)
class Collections:
    """The names of the collections of one push.

    Parameters
    ----------
    name : str
        Of the index, from `checked_name`.
    token : str
        From `new_token`.
    """

    name: str
    token: str

    def of(self, kind: str) -> str:
        """Return the collection of one of `KINDS`."""
        return f"{self.name}_{self.token}_{kind}"

    def generation(self, number: int) -> str:
        """Return the collection of a generation."""
        return f"{self.name}_{self.token}_g{number}"


def lock_of(name: str) -> str:
    """Return the collection that is there while the alias of an index is switched."""
    return f"{name}_lock"


def token_of(collection: str, name: str) -> str | None:
    """Return the token in a collection's name; None if it belongs to no index, or to another one.

    Parameters
    ----------
    collection : str
    name : str
        Of the index.
    """
    found = re.fullmatch(rf"{re.escape(name)}_({TOKEN})_({'|'.join(KINDS)}|g[0-9]+)", collection)
    return found[1] if found else None


def chunk_key(sha256: str, number: int) -> str:
    """Return the key of a chunk of a file.

    Parameters
    ----------
    sha256 : str
        Of the whole file.
    number : int
        Counted from 0.
    """
    return f"{sha256}-{number:07d}"


@dataclass(frozen=True)
class BlockShape:
    """How `BLOCK` positions lie in the bytes of a row: codes, which of them sound, chroma codes.

    Parameters
    ----------
    code_bytes, chroma_bytes : int
        Of one code.
    """

    code_bytes: int
    chroma_bytes: int

    @classmethod
    def of(cls, settings: FeatureSettings) -> "BlockShape":
        """Return the shape for the codes of an index.

        Raises
        ------
        UsageError
            If the codes are so wide that a block finds no room in a row.
        """
        shape = cls(settings.n_bits // 8, settings.chroma_bits // 8)
        if shape.size > _ROW_BYTES:
            raise UsageError(
                f"codes of {settings.n_bits} and {settings.chroma_bits} bits are too wide for Milvus: "
                f"{BLOCK} of them take {shape.size} bytes, expected {_ROW_BYTES} at most: build the index "
                "with narrower ones"
            )
        return shape

    @property
    def audible_at(self) -> int:
        """First byte of the bits that say which positions sound: `BLOCK` // 8 bytes, highest bit first."""
        return BLOCK * self.code_bytes

    @property
    def chroma_at(self) -> int:
        """First byte of the chroma codes, of one position in `HASHED_STRIDE`."""
        return self.audible_at + BLOCK // 8

    @property
    def size(self) -> int:
        """Bytes of a row."""
        return self.chroma_at + BLOCK // HASHED_STRIDE * self.chroma_bytes

    def pack(self, track: TrackCodes) -> Bytes:
        """Return the blocks of a track.

        Parameters
        ----------
        track : TrackCodes

        Returns
        -------
        np.ndarray [shape=(n_blocks, size), dtype=uint8]
        """
        n_blocks = -(-len(track.codes) // BLOCK)
        rows = np.zeros((n_blocks, self.size), np.uint8)
        rows[:, : self.audible_at] = _in_blocks(track.codes, n_blocks, BLOCK)
        audible = np.packbits(track.audible)
        rows[:, self.audible_at : self.chroma_at] = _in_blocks(audible[:, np.newaxis], n_blocks, BLOCK // 8)
        rows[:, self.chroma_at :] = _in_blocks(track.chroma_codes, n_blocks, BLOCK // HASHED_STRIDE)
        return rows

    def unpack(self, rows: Bytes, length: int) -> TrackCodes:
        """Return a track from its blocks.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_blocks, size), dtype=uint8]
            In their order.
        length : int
            Positions of the track.
        """
        codes = rows[:, : self.audible_at].reshape(-1, self.code_bytes)[:length]
        audible = np.unpackbits(rows[:, self.audible_at : self.chroma_at].reshape(-1))[:length]
        chroma = rows[:, self.chroma_at :].reshape(-1, self.chroma_bytes)[: -(-length // HASHED_STRIDE)]
        return TrackCodes(np.ascontiguousarray(codes), np.ascontiguousarray(chroma), audible.view(np.bool_))


def pack_steps(chroma: Bytes) -> Bytes:
    """Return coarse chroma in blocks [shape=(n_blocks, `STEP_BLOCK_BYTES`), dtype=uint8].

    Parameters
    ----------
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
    """
    return _in_blocks(chroma, -(-len(chroma) // BLOCK), BLOCK)


def unpack_steps(rows: Bytes, length: int) -> Bytes:
    """Return coarse chroma from its blocks [shape=(length, 12), dtype=uint8]."""
    return rows.reshape(-1, N_CHROMA)[:length]


def _in_blocks(values: Bytes, n_blocks: int, per_block: int) -> Bytes:
    """Return rows of values in rows of blocks; what is left of the last one is zero."""
    blocks = np.zeros((n_blocks * per_block, values.shape[1]), np.uint8)
    blocks[: len(values)] = values
    return blocks.reshape(n_blocks, per_block * values.shape[1])
