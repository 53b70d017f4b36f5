"""AES-128-CBC, decrypting only (FIPS 197): segments of HLS may be encrypted with it.

FFmpeg's own decryption would fetch the segments itself, and neither Python nor our dependencies have AES. No
secret of anybody depends on it: the key comes with the playlist. All blocks of a piece are decrypted at once.
"""

import functools

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

BLOCK = 16
ROUNDS = 10
_UNSHIFT = np.array([(column - row) % 4 * 4 + row for column in range(4) for row in range(4)])
_UNMIX = ((14, 11, 13, 9), (9, 14, 11, 13), (13, 9, 14, 11), (11, 13, 9, 14))


class Decryption:
    """Decrypts a stream of blocks that are chained by CBC.

    Parameters
    ----------
    key, iv : bytes
        16 each.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._keys = _expanded(key)
        self._before = np.frombuffer(iv, np.uint8).reshape(1, BLOCK)

    def feed(self, data: bytes) -> bytes:
        """Decrypt the next blocks.

        Parameters
        ----------
        data : bytes
            A multiple of 16, at least 16.

        Returns
        -------
        bytes
            As many.
        """
        blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK)
        chain = np.concatenate([self._before, blocks[:-1]])
        self._before = blocks[-1:]
        plain: Bytes = _decrypted(blocks, self._keys) ^ chain
        return plain.tobytes()


def _decrypted(blocks: Bytes, keys: Bytes) -> Bytes:
    inverse = np.argsort(_substitution()).astype(np.uint8)
    state: Bytes = blocks ^ keys[ROUNDS]
    for number in range(ROUNDS - 1, -1, -1):
        state = inverse[state[:, _UNSHIFT]] ^ keys[number]
        if number:
            state = _unmixed(state)
    return state


def _unmixed(state: Bytes) -> Bytes:
    tables, columns = _products(), state.reshape(-1, 4, 4)
    mixed = [
        functools.reduce(np.bitwise_xor, (tables[by][columns[:, :, row]] for row, by in enumerate(factors)))
        for factors in _UNMIX
    ]
    return np.stack(mixed, axis=2).reshape(-1, BLOCK)


def _expanded(key: bytes) -> Bytes:
    """Make the keys of all rounds [shape=(11, 16)]."""
    box, words, constant = _substitution(), list(np.frombuffer(key, np.uint8).reshape(4, 4)), 1
    for number in range(4, 4 * (ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            word = box[np.roll(word, -1)] ^ np.array([constant, 0, 0, 0], np.uint8)
            constant = _product(constant, 2)
        words.append(words[-4] ^ word)
    return np.concatenate(words).reshape(ROUNDS + 1, BLOCK)


def _product(x: int, y: int) -> int:
    """Multiply in the field of AES."""
    found = 0
    while y:
        found ^= x if y & 1 else 0
        x = x << 1 ^ (0x11B if x & 0x80 else 0)
        y >>= 1
    return found


@functools.cache
def _products() -> dict[int, Bytes]:
    return {by: np.array([_product(x, by) for x in range(256)], np.uint8) for by in _UNMIX[0]}


@functools.cache
def _substitution() -> Bytes:
    """Compute the S-box: the inverse in the field, then an affine map."""
    box = np.zeros(256, np.uint8)
    for x in range(256):
        inverse = next((y for y in range(256) if _product(x, y) == 1), 0)
        doubled = inverse | inverse << 8
        box[x] = (inverse ^ doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7 ^ 0x63) & 0xFF
    return box
