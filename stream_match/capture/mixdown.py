"""Several channels → one: their mean, or one of them where the mean would cancel the music."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stream_match.capture.told import logger
from stream_match.errors import SourceError

log = logger(__name__)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

WINDOW_S = 0.1
"""Powers are compared window by window, counted from the start of the signal: block cuts do not matter."""

EVERY = 16
"""One sample in so many is enough for a power."""

AUDIBLE_POWER = 1e-6
"""Mean square of a channel (−60 dBFS) below which a window says nothing about the channels."""

HOLD_WINDOWS = 5
"""Windows (0.5 s) from the first sound on that are held back for the first verdict, so that a beginning is
not lost. A live source is late by as much at its start, and not later on."""

INVERTED = 0.1
"""Power of the sum of the channels, as a share of the sum of their powers, below which the first verdict is
that they cancel. The share is 2 for equal stereo channels, 1 for unrelated ones, 0 for inverted ones. Over
half a second of stereo music its least value was 0.27 (14 recordings, 14 minutes)."""

CANCELLED = 0.4
"""The same share over `MEMORY_WINDOWS`. In 128 recordings of stereo music (8 h) its least value was 0.53.
With one channel inverted its median was below 0.4 in 71 of them, and below 0.5 in 86."""

RESTORED = 0.8
"""The same share from which the mean is whole again."""

MEMORY_WINDOWS = 100
"""10 s, after which a window counts for a third. Over 3 s the least value in the same music was 0.32."""

KEPT = 1.0 - 1.0 / MEMORY_WINDOWS
RETURN_WINDOWS = 300  # 30 s in a row must be whole before the mean comes back: no flapping


class Mixdown:
    """Reduce the blocks of a signal to one channel.

    However the signal is cut, the joined output is the same to the last bit.

    Parameters
    ----------
    rate_hz : int, > 0
        Rate of the signal.
    channels : int, >= 1
        Number of its channels.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean. A signal of one channel has only
        that one, which is taken in any case.
    shown : str
        What the signal is, as a message names it.

    Raises
    ------
    SourceError
        If there are no channels, or there is no such channel.
    """

    def __init__(
        self, rate_hz: int, channels: int, channel: int | None = None, shown: str = "the audio"
    ) -> None:
        _check(channels, channel, shown)
        self._only = 0 if channels == 1 else None if channel is None else channel - 1
        self._window = max(1, round(WINDOW_S * rate_hz))
        self._judge = _Judge(channels, shown)
        self._settled = False
        self._seen = np.empty((0, channels), np.float32)  # the present window, or all that is held back
        self._gone = 0  # samples of it that were returned

    def feed(self, y: Float32) -> Float32:
        """Take one block and return what can be said by now.

        Parameters
        ----------
        y : np.ndarray [shape=(n, channels), dtype=float32]
            Finite samples; not kept, not changed.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            Owned by the caller; empty at first, while the first sound is held back.
        """
        if self._only is not None:
            return y[:, self._only].copy()
        self._seen = np.concatenate([self._seen, y]) if len(self._seen) else y
        return np.concatenate([np.empty(0, np.float32), *self._ready()])

    def flush(self) -> Float32:
        """End the signal and return what was held back; the next `feed` begins another signal.

        What is known of the channels is kept.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
        """
        rest = self._seen[self._gone :]
        if not self._settled and len(rest):
            self._judge.first(*_powers(rest, len(rest)))
        self._seen, self._gone = self._seen[:0], 0
        return _mixed(rest, self._judge.picked)

    def _ready(self) -> Iterator[Float32]:
        if not self._settled:
            yield self._silence()
            if len(self._seen) < HOLD_WINDOWS * self._window:
                return
            self._judge.first(*_powers(self._seen[: HOLD_WINDOWS * self._window], self._window))
            self._settled = True
        whole = len(self._seen) // self._window
        sum_powers, powers = _powers(self._seen, self._window)
        heard = zip(sum_powers.tolist(), powers.tolist(), _audible(powers).tolist(), strict=True)
        for window, (sum_power, by_channel, audible) in enumerate(heard):
            before = self._judge.picked
            if audible:
                self._judge.next(sum_power, by_channel)
            if self._judge.picked != before or window == whole - 1:
                end = (window + 1) * self._window
                yield _mixed(self._seen[self._gone : end], before)
                self._gone = end
        # A copy, for the block belongs to the caller.
        self._seen, self._gone = self._seen[whole * self._window :].copy(), self._gone - whole * self._window
        yield _mixed(self._seen[self._gone :], self._judge.picked)
        self._gone = len(self._seen)

    def _silence(self) -> Float32:
        """Return the windows before the first sound."""
        _, powers = _powers(self._seen, self._window)
        silent = int(np.cumprod(~_audible(powers)).sum()) * self._window
        before, self._seen = self._seen[:silent], self._seen[silent:].copy()
        return _mixed(before, None)


class _Judge:
    """Says, window by window, whether the channels cancel each other, and which of them to take then."""

    def __init__(self, channels: int, shown: str) -> None:
        self.picked: int | None = None
        self._shown = shown
        self._told = False
        self._heard = 0
        self._whole = 0
        self._sum_power = 0.0
        self._powers = [0.0] * channels

    def first(self, sum_powers: Float64, powers: Float64) -> None:
        """Judge by the windows from the first sound on."""
        total = powers.sum(axis=0)
        if _audible(powers).any() and sum_powers.sum() < INVERTED * total.sum():
            self._pick(total.tolist())

    def next(self, sum_power: float, powers: list[float]) -> None:
        """Judge once more, with one more window that is audible."""
        self._heard += 1
        self._sum_power = KEPT * self._sum_power + sum_power
        self._powers = [KEPT * old + new for old, new in zip(self._powers, powers, strict=True)]
        share = self._sum_power / sum(self._powers)
        if self.picked is None:
            if self._heard >= MEMORY_WINDOWS and share < CANCELLED:
                self._pick(self._powers)
            return
        self._whole = self._whole + 1 if share >= RESTORED else 0
        if self._whole >= RETURN_WINDOWS:
            self.picked = None

    def _pick(self, powers: list[float]) -> None:
        self.picked = powers.index(max(powers))
        self._whole = 0
        if not self._told:
            log.warning(
                "%s: its channels cancel each other in the mix; channel %d is taken instead",
                self._shown,
                self.picked + 1,
            )
        self._told = True


def _check(channels: int, channel: int | None, shown: str) -> None:
    if channels < 1:
        raise SourceError(f"{shown} has {channels} channels; expected at least one")
    if channel is not None and (channel < 1 or 1 < channels < channel):
        raise SourceError(f"{shown} has {channels} channels, of which channel {channel} was asked for")


def _powers(y: Float32, window: int) -> tuple[Float64, Float64]:
    """Return, for each whole window, the power of the sum of all channels and that of each channel.

    Parameters
    ----------
    y : np.ndarray [shape=(n, channels), dtype=float32]
    window : int, > 0 [samples]

    Returns
    -------
    sum_powers : np.ndarray [shape=(n_windows,), dtype=float64]
    powers : np.ndarray [shape=(n_windows, channels), dtype=float64]
    """
    whole = len(y) // window
    windows = y[: whole * window].reshape(whole, window, y.shape[1])[:, ::EVERY]
    # Each window lies contiguous, so that its rounding does not depend on its neighbours.
    by_channel = np.ascontiguousarray(windows.transpose(2, 0, 1), dtype=np.float64)
    total = by_channel[0].copy()
    for channel in by_channel[1:]:
        total += channel
    return np.square(total).mean(axis=-1), np.square(by_channel).mean(axis=-1).T


def _audible(powers: Float64) -> npt.NDArray[np.bool_]:
    audible: npt.NDArray[np.bool_] = powers.max(axis=-1) >= AUDIBLE_POWER
    return audible


def _mixed(y: Float32, picked: int | None) -> Float32:
    if picked is not None:
        return y[:, picked].copy()
    # Sample by sample, unlike a matrix product, whose rounding depends on how the signal is cut.
    mono: Float32 = y[:, 0].copy()
    for channel in range(1, y.shape[1]):
        mono += y[:, channel]
    mono *= np.float32(1.0 / y.shape[1])
    return mono
