"""The architecture, held by `ast`: who may import whom, and what a fresh interpreter loads."""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import stream_match

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_match"
PURE = ("descriptors", "features", "index", "match", "onsets")
EDGES = ("capture", "fleet", "publish", "web")
HEAVY = {
    "numpy",
    "scipy",
    "faiss",
    "librosa",
    "numba",
    "sounddevice",
    "soundfile",
    "soxr",
    "av",
    "aiomqtt",
    "amqtt",
    "tqdm",
    "pyarrow",
    "sklearn",
    "xgboost",
    "starlette",
    "uvicorn",
    "pymilvus",
    "distributed",
    "dask",
    "fsspec",
    "nats",
}

# Parts of the standard library through which a module would touch the world.
OUTSIDE = {"asyncio", "threading", "time", "logging", "socket", "pathlib", "os", "io"}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module):
    """The folder or module below the package: ``capture`` of ``stream_match.capture.queue``."""
    return [*module.split("."), ""][1]


def imports(name, *, at_load=False):
    """Names of the modules that a module imports, all of them or only while it is loaded."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    nodes = [node for top in tree.body for node in _running(top)] if at_load else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            # "from package import module" imports the module.
            found |= {
                full if (full := f"{node.module}.{alias.name}") in FILES else node.module
                for alias in node.names
            }
    return found


def _running(node):
    """What runs when a module is loaded: nothing in functions, nothing for type checkers."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


def modules_in(*parts):
    return [name for name in FILES if part_of(name) in parts]


@pytest.mark.parametrize("name", modules_in(*PURE))
def test_pure_folders_know_only_numbers_events_and_settings(name):
    for module in imports(name):
        top = module.partition(".")[0]
        if top == "stream_match":
            # Constants that are too many to stand in the text travel beside it.
            own = {"stream_match.features.learnt", "stream_match.onsets.activation"} & {name} and {"shipped"}
            assert part_of(module) in {*PURE, "events", "config", "errors", *own}, module
        else:
            # FAISS reads and writes its own files: the path is handed through.
            own = {
                "stream_match.index.faiss_index": {"faiss", "pathlib"},
                "stream_match.index.compiled": {"numba"},
                # The columns are defined by what librosa computes.
                "stream_match.descriptors.gtzan": {"librosa"},
            }.get(name, set())
            assert top in {"numpy", "scipy"} | own | (sys.stdlib_module_names - OUTSIDE), module


@pytest.mark.parametrize("name", [*modules_in(*PURE), "stream_match.engine"])
def test_pure_code_opens_no_file_and_prints_nothing(name):
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input"}


@pytest.mark.parametrize("name", modules_in(*EDGES))
def test_edges_never_import_the_core_nor_each_other(name):
    for module in imports(name):
        if module.startswith("stream_match."):
            # The page shows the history as `history` prints it.
            own = name == "stream_match.web.past" and module.startswith(
                ("stream_match.store.history", "stream_match.offline.airplay.")
            )
            known = (part_of(name), "events", "config", "errors", "text")
            assert own or part_of(module) in known, module


def test_the_engine_imports_no_edge_and_no_outside():
    for module in imports("stream_match.engine"):
        if module.startswith("stream_match."):
            assert part_of(module) in (*PURE, "events", "config", "errors", "threads"), module
        else:
            assert module.partition(".")[0] in {"numpy", "collections", "dataclasses", "typing", "math"}, (
                module
            )


MILVUS_CLIENT = {
    "stream_match.milvus.connection",
    "stream_match.milvus.failures",
    "stream_match.milvus.reads",
}


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("faiss", "stream_match.index.faiss_index"),
        ("numba", "stream_match.index.compiled"),
        ("aiomqtt", "stream_match.publish.mqtt"),
        ("fsspec", "stream_match.catalog.url_path"),
        ("nats", "stream_match.fleet.jetstream"),
        ("grpc", "stream_match.milvus.failures"),
    ],
)
def test_a_library_stands_in_one_file(library, home):
    assert {name for name in FILES if any(m.partition(".")[0] == library for m in imports(name))} == {home}


def test_the_client_of_milvus_stands_in_its_connection_its_reads_and_what_it_raises():
    users = {name for name in FILES if any(m.partition(".")[0] == "pymilvus" for m in imports(name))}
    assert users == MILVUS_CLIENT


def test_dask_stands_in_what_reads_on_a_cluster():
    users = {
        name for name in FILES if any(m.partition(".")[0] in ("distributed", "dask") for m in imports(name))
    }
    assert users <= {name for name in FILES if name.startswith("stream_match.catalog.cluster")}


def test_the_catalogue_knows_no_service_and_no_sink():
    for name in modules_in("catalog"):
        assert not {part_of(module) for module in imports(name)} & {
            "service",
            "cli",
            "publish",
            "identify",
        }, name


@pytest.mark.parametrize("name", modules_in("milvus"))
def test_an_index_on_a_server_knows_indexes_and_nothing_of_who_listens(name):
    known = (*PURE, "milvus", "catalog", "config", "errors", "events", "threads")
    for module in imports(name):
        if module.startswith("stream_match."):
            assert part_of(module) in known, module
        else:
            client = {"pymilvus", "grpc"} if name in MILVUS_CLIENT else set()
            own = {"numpy", "pydantic", *client}
            assert module.partition(".")[0] in own | sys.stdlib_module_names - {"asyncio"}, module


@pytest.mark.parametrize("name", modules_in("store"))
def test_the_store_knows_events_and_nothing_of_who_uses_it(name):
    for module in imports(name):
        if module.startswith("stream_match."):
            assert part_of(module) in ("store", "events", "config", "errors"), module
        else:
            assert module.partition(".")[0] in sys.stdlib_module_names - {"asyncio", "time"}, module


@pytest.mark.parametrize("name", modules_in("clips"))
def test_clips_know_samples_and_facts_and_nothing_of_who_uses_them(name):
    for module in imports(name):
        if module.startswith("stream_match."):
            assert part_of(module) in ("clips", "capture", "events", "config", "errors"), module
        else:
            own = {"numpy", "soundfile", "soxr"}
            assert module.partition(".")[0] in own | sys.stdlib_module_names - {"asyncio", "time"}, module


def test_only_the_command_line_knows_the_command_line():
    users = {
        part_of(name)
        for name in FILES
        if any(part_of(m) == "cli" and m.startswith("stream_match.") for m in imports(name))
    }
    assert users <= {"cli", "__main__"}


# watch hands on what `describe` has made printable, or the payload itself.
@pytest.mark.parametrize(
    "name", sorted({*modules_in("cli")} - {"stream_match.cli.terminal", "stream_match.cli.watch"})
)
def test_commands_print_through_one_place(name):
    text = FILES[name].read_text(encoding="utf-8")
    assert "sys.stdout.write" not in text
    assert "print(" not in text.replace("_print(", "")


def test_no_module_imports_itself_in_a_circle():
    # A package's __init__ runs before what is in it, which may then use what the package has by then.
    graph = {
        name: {m for m in imports(name, at_load=True) if m in FILES and not f"{name}.".startswith(f"{m}.")}
        for name in FILES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def loaded_after(statement):
    code = f"{statement}\nimport json, sys; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("statement", "kept_out"),
    [
        ("import stream_match", HEAVY | {"pydantic", "asyncio"}),
        ("import stream_match.cli", HEAVY | {"pydantic", "asyncio"}),
        ("from stream_match import from_json", HEAVY | {"asyncio"}),
        ("from stream_match import subscribe", HEAVY - {"aiomqtt"}),
        ("from stream_match import Engine", HEAVY - {"numpy", "scipy"} | {"scipy.signal", "scipy.stats"}),
        ("import stream_match.service", HEAVY - {"numpy"}),
    ],
)
def test_a_fresh_interpreter_loads_no_more_than_it_needs(statement, kept_out):
    assert not loaded_after(statement) & kept_out


def test_the_public_face():
    assert len(stream_match.__all__) <= 9
    assert sorted(stream_match.__all__) == stream_match.__all__ == sorted(stream_match._HOMES)
    for name in stream_match.__all__:
        assert getattr(stream_match, name).__doc__, name
        assert name in dir(stream_match)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        stream_match.nonsense  # noqa: B018 - the access is the test


def test_public_names_are_not_hidden_by_modules():
    assert not set(stream_match.__all__) & {part_of(name) for name in FILES}
