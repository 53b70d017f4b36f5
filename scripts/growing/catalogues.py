"""Catalogues of so many hours: the tracks of a folder, and what has been made of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from growing.material import MOST_SOUNDED, Frames, Sounds, permutations, permuted
from stream_match.capture.file import read_blocks
from stream_match.catalog.find import find_tracks
from stream_match.catalog.self_similarity import bias_of, self_scores
from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.features.chroma import N_CHROMA, unit_rows
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.features.rolling import CHROMA, RollingFeatures
from stream_match.index.catalogue import Catalogue, Part, catalogue_of
from stream_match.index.coding import Hyperplanes, TrackCodes, code_track
from stream_match.index.harmony import harmony_segment
from stream_match.index.segment import build_segment

Float32 = npt.NDArray[np.float32]

_FULL_SCALE = 1 << 15


@dataclass(frozen=True)
class Coded:
    """A track of a catalogue: its id, its codes, and its coarse chroma [shape=(n_steps, 12), dtype=uint8]."""

    id: str
    codes: TrackCodes
    coarse: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Folder:
    """Tracks of a folder of audio and all that is made of them, kept in a work folder.

    Parameters
    ----------
    audio : Path
    work : Path
        May hold what an earlier run has made.
    planes : Hyperplanes
        Of an index of the audio; they stay as they are while the catalogue grows.
    settings : FeatureSettings
    copies : sequence of int
        Which of the copies that can be sounded there are.
    of : {"all", "even", "odd"}
        Tracks, by their number in the order of their ids, of which something is made: of a track of the other
        half, only others' relatives are in the catalogue.
    """

    audio: Path
    work: Path
    planes: Hyperplanes
    settings: FeatureSettings
    copies: Sequence[int] = range(MOST_SOUNDED)
    of: Literal["all", "even", "odd"] = "all"

    def tracks(self, hours: float, then: str) -> list[Coded]:
        """Return the tracks of the folder, and others until there are so many hours.

        Parameters
        ----------
        hours : float
        then : {"sounded", "stretched", "permuted"}
            What follows; after what is sounded, of which there is so much only, what is stretched.
        """
        chosen: list[Coded] = []
        left = hours * 3600 / self.settings.code_s
        for coded in self._all(then):
            if left <= 0:
                break
            chosen.append(coded)
            left -= len(coded.codes.codes)
        return chosen

    def _all(self, then: str) -> Iterator[Coded]:
        own = [self._kept("own", 0, number) for number in range(len(self._found))]
        yield from own
        if then == "permuted":
            yield from self._permuted(own)
        chosen = range(self.of == "odd", len(own), 1 if self.of == "all" else 2)
        for copy in self.copies if then == "sounded" else ():
            yield from (self._kept("sounded", copy, number) for number in chosen)
        for copy in count():
            yield from (self._kept("stretched", copy, number) for number in chosen)

    def _permuted(self, own: list[Coded]) -> Iterator[Coded]:
        """Yield the tracks again and again, the bits of each copy in another order."""
        orders = zip(
            permutations(self.settings.n_bits, 0),
            permutations(self.settings.chroma_bits, 1),
            permutations(N_CHROMA, 2),
            strict=True,
        )
        for copy, (bits, chroma_bits, classes) in enumerate(orders):
            for track in own:
                codes = TrackCodes(
                    permuted(track.codes.codes, bits),
                    permuted(track.codes.chroma_codes, chroma_bits),
                    track.codes.audible,
                )
                yield Coded(f"{track.id}~permuted{copy}", codes, track.coarse[:, classes])

    def _kept(self, kind: str, copy: int, number: int) -> Coded:
        """Return a track, made now or by an earlier run."""
        name = self._found[number][0] + (f"~{kind}{copy}" if kind != "own" else "")
        path = self.work / kind / f"{copy}-{number}.npz"
        if not path.exists():
            frames = self._made(kind, copy, number)
            codes = code_track(frames, self.planes, self.settings)
            coarse = coarse_chroma([unit_rows(frames[:, CHROMA])], self.settings)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as handle:
                np.savez(
                    handle, codes=codes.codes, chroma_codes=codes.chroma_codes, audible=codes.audible,
                    coarse=coarse,
                )  # fmt: skip
            part.rename(path)
        with np.load(path, allow_pickle=False) as kept:
            return Coded(
                name, TrackCodes(kept["codes"], kept["chroma_codes"], kept["audible"]), kept["coarse"]
            )

    def _made(self, kind: str, copy: int, number: int) -> Float32:
        if kind == "sounded":
            return RollingFeatures(self.settings).feed(self._sounds.sounded(number, copy))
        if kind == "stretched":
            return self._frames.stretched(number, copy)
        return self._frames.tracks[number]

    @cached_property
    def _found(self) -> list[tuple[str, Path]]:
        found = ((track.id, track.path) for track in find_tracks([self.audio]).tracks)
        return sorted((name, path) for name, path in found if isinstance(path, Path))

    @cached_property
    def _sounds(self) -> Sounds:
        return Sounds([self._array("decoded", number, self._decoded) for number in range(len(self._found))])

    @cached_property
    def _frames(self) -> Frames:
        return Frames([self._array("frames", number, self._heard) for number in range(len(self._found))])

    def _array(self, kind: str, number: int, make: Callable[[int], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return an array, mapped from the file in which it is kept."""
        path = self.work / kind / f"{number}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as handle:
                np.save(handle, make(number))
            part.rename(path)
        kept: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return kept

    def _decoded(self, number: int) -> npt.NDArray[np.int16]:
        y = np.concatenate(list(read_blocks(self._found[number][1])))
        samples: npt.NDArray[np.int16] = np.clip(
            np.rint(y * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1
        ).astype(np.int16)
        return samples

    def _heard(self, number: int) -> Float32:
        y = self._sounds.tracks[number].astype(np.float32) / np.float32(_FULL_SCALE)
        return RollingFeatures(self.settings).feed(y)


def hours_of(catalogue: Catalogue) -> float:
    """Return the hours of audio in the tracks that have a name."""
    positions = catalogue.tracks.length[: len(catalogue.tracks.named)].sum()
    return float(positions) * catalogue.settings.code_s / 3600


def catalogue_of_tracks(coded: list[Coded], planes: Hyperplanes, settings: FeatureSettings) -> Catalogue:
    """Return tracks as a catalogue of one segment, in memory, for both lanes."""
    segment = build_segment(
        [track.codes for track in coded], settings, harmony_segment([track.coarse for track in coded])
    )
    tracks = tuple(Track(id=track.id) for track in coded)
    catalogue = catalogue_of([Part(segment, tracks)], planes, settings)
    return replace(catalogue, score_bias=bias_of(self_scores(catalogue)))
