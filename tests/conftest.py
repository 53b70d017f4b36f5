"""What several folders share; its place makes naive.py and music.py importable from all of them."""

import logging
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# The same code gets the same examples, so that a change is judged by what it changed; every run with
# --hypothesis-profile=default looks for new ones.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")

LONG = (
    "milvus/test_milvus_push.py",
    "catalog/test_writing.py",
    "catalog/test_build.py",
    "fuzz/test_fuzz.py",
    "catalog/test_cluster.py",
    "end_to_end",
    "milvus/test_listening_on_milvus.py",
    "test_engine.py",
    "capture/test_microphone_heard.py",
    "explain",
    "fleet",
)
"""Files and folders that take half a minute or more; those that mostly wait stand among the others."""

REAL_AUDIO = Path(__file__).parents[1] / "../shared/audio"


def pytest_addoption(parser):
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write tests/golden/* anew instead of comparing with it; read the diff",
    )


def pytest_configure():
    """Let programs under test be interrupted: what a shell starts in the background ignores that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begin with what takes long: at the end, all processes but one would wait for it."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONG)}

    def place(item):
        return min((places[at] for at in (item.path, item.path.parent) if at in places), default=len(LONG))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _log_level():
    """The command line sets the level of the whole process."""
    logging.getLogger("stream_match").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def real_audio():
    """A folder of recordings that is not part of the repository."""
    if not REAL_AUDIO.is_dir():
        pytest.skip(f"{REAL_AUDIO} is not there: recordings of real music are not part of the repository")
    return REAL_AUDIO


@pytest.fixture(scope="session")
def librosa():
    """The yardstick; importing it takes seconds."""
    return pytest.importorskip("librosa")


@pytest.fixture(scope="session")
def reference():
    """The catalogue of all pieces."""
    from music import PIECES, catalogue

    return catalogue(PIECES)
