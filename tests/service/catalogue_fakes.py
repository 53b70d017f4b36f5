"""A folder whose index changes, what is loaded from it, and engines that take it up."""

import json
from dataclasses import dataclass, field

from service_fakes import ToyEngine

from stream_match.errors import CatalogError
from stream_match.events import Track
from stream_match.service import CurrentCatalogue, FolderOrigin


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A catalogue: all that the service knows of one."""

    tracks: tuple = ()


@dataclass
class Folder:
    """An index of a manifest alone, which names the tracks, or says what is wrong."""

    path: object
    loads: int = 0
    loaded: list = field(default_factory=list)  # what came of it
    broken: object = None  # raised by the next loads, whatever is there

    def __post_init__(self):
        self.path.mkdir(exist_ok=True)
        self.manifest = self.path / "manifest.json"
        self._count = 0

    def put(self, *tracks, wrong=None):
        """Put another generation there, as a writer does: by renaming."""
        self._count += 1
        new = self.path / f"new-{self._count}"
        new.write_text(json.dumps({"tracks": tracks, "wrong": wrong, "generation": self._count}))
        new.rename(self.manifest)

    def damage(self, why="a segment is missing"):
        self.put(wrong=why)

    def remove(self):
        self.manifest.unlink()

    def tracks(self):
        """What is there; None if nothing is that could be loaded."""
        said = json.loads(self.manifest.read_text()) if self.manifest.exists() else {"wrong": "gone"}
        return None if said["wrong"] else tuple(said["tracks"])

    def load(self):
        self.loads += 1
        if self.broken is not None:
            raise self.broken
        try:
            said = json.loads(self.manifest.read_text())
        except OSError as error:
            raise CatalogError(f"there is no index in it ({error.strerror})") from error
        if said["wrong"]:
            raise CatalogError(said["wrong"])
        self.loaded.append(Snapshot(tuple(said["tracks"])))
        return self.loaded[-1]

    def current(self):
        origin = FolderOrigin(self.manifest, self.load)
        return CurrentCatalogue(origin, lambda snapshot: len(snapshot.tracks))


class Listener(ToyEngine):
    """Hears a track for as long as its catalogue has that: the one that the engine is told to hear."""

    def __init__(self, catalogue, *, track="toy", breaks_in_take_up=False, **words):
        super().__init__(**words)
        self.first = catalogue
        self.taken_up = []  # (stream time, catalogue)
        self.faults = []  # what the service must not do; raised, it would only be an engine that broke
        self._catalogue = catalogue
        self._track = track
        self._breaks_in_take_up = breaks_in_take_up
        self._busy = False

    def feed(self, y, **words):
        with _alone(self):
            said = super().feed(y, **words) if y.size or words.get("discontinuity") else []
        if self._track not in self._catalogue.tracks:  # as if it had not been heard
            if any(facts.phase == "updated" for facts in said):
                self.faults.append("a match of a track that is gone goes on")
            said = [facts for facts in said if facts.phase == "ended"]
            self._running, self._heard_s = False, 0.0
        return said

    def take_up(self, catalogue):
        if catalogue is self._catalogue and self.taken_up:
            self.faults.append("given the same catalogue again")
        with _alone(self):
            self.taken_up.append((self.stream_s, catalogue))
            self._catalogue = catalogue
            if self._breaks_in_take_up:
                raise ZeroDivisionError("the toy cannot change")
            return [] if self._track in catalogue.tracks else self._end()

    def flush(self):
        with _alone(self):
            return super().flush()

    def _facts(self, phase, **changes):
        return super()._facts(phase, **changes).model_copy(update={"track": Track(id=self._track)})


class _alone:  # noqa: N801 - reads as a word
    """Holds that an engine is asked for one thing at a time."""

    def __init__(self, engine):
        self._engine = engine

    def __enter__(self):
        if self._engine._busy:
            self._engine.faults.append("asked for two things at a time")
        self._engine._busy = True

    def __exit__(self, *_):
        self._engine._busy = False


class Makers:
    """Makes engines with the newest catalogue, and remembers them."""

    def __init__(self, current, **words):
        self.engines = []
        self._current = current
        self._words = words

    def __call__(self):
        self.engines.append(Listener(self._current.newest, **self._words))
        return self.engines[-1]
