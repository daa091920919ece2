"""The house itself: rooms that one can find, stand on each other and say what they are for."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests.house import fan_out, room_of

ROOT = Path(__file__).parent.parent
HOUSES = ("parsers", "rules", "agent", "dashboards")
MOST_IN_A_ROOM = 30
LISTS = {
    "rules/catalogue",
    "rules/known_faults",
    "parsers/log/messages",
}  # one entry a file, found by its name
# A check is declared by what asks it.
BY_DESIGN = {frozenset({"rules.catalogue", "rules.known_faults", "rules.verdict"})}
MODULES = [path for house in HOUSES for path in sorted((ROOT / house).rglob("*.py"))]


def rooms() -> Iterator[Path]:
    return (path.parent for path in MODULES if path.name == "__init__.py")


def knots(edges: dict[str, set[str]]) -> list[frozenset[str]]:
    """Rooms from which a way leads out and back."""
    reached = {room: set(direct) for room, direct in edges.items()}
    for via in edges:
        for room in reached:
            if via in reached[room]:
                reached[room] |= reached[via]
    return sorted(
        {
            frozenset(b for b in reached[a] if a in reached.get(b, ())) | {a}
            for a in reached
            if a in reached[a]
        },
        key=sorted,
    )


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*HOUSES, cache_dir=None)


def test_no_room_is_a_heap() -> None:
    sizes = {
        str(room.relative_to(ROOT)): len([p for p in room.glob("*.py") if p.stem != "__init__"])
        for room in rooms()
    }
    heaps = {room: size for room, size in sizes.items() if size > MOST_IN_A_ROOM}
    assert heaps.keys() <= LISTS


def test_every_package_is_a_package_and_says_what_it_is_for() -> None:
    for folder in {path.parent for path in MODULES}:
        assert (folder / "__init__.py").is_file(), folder
    silent = [
        str(room.relative_to(ROOT))
        for room in rooms()
        if not ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    ]
    assert silent == []


def test_a_package_imports_nothing_when_it_is_imported() -> None:
    """But the tables of entries: a package that pulls in its modules makes cycles of import."""
    tables = {"agent/lab/faults", "parsers/log/messages"}
    eager = {
        str(room.relative_to(ROOT))
        for room in rooms()
        for node in ast.walk(ast.parse((room / "__init__.py").read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and (getattr(node, "module", None) or node.names[0].name).startswith(HOUSES)
    }
    assert eager <= tables


def test_no_two_rooms_depend_on_each_other(graph: grimp.ImportGraph) -> None:
    edges: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if room_of(module) != room_of(imported):
                edges[room_of(module)].add(room_of(imported))
    assert set(knots(edges)) - BY_DESIGN == set()


def test_no_module_needs_itself(graph: grimp.ImportGraph) -> None:
    """Lazy imports and those for types included; the catalogue asks its package for its files."""
    edges = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    assert knots(edges) == []


_CLOCKS = {"monotonic", "perf_counter", "process_time"}


def test_no_test_asserts_how_long_something_takes() -> None:
    """On a busy machine it fails. What takes how long is `make bench`'s matter."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
                below = isinstance(node.test.ops[0], ast.Lt | ast.LtE)
                assert not (below and _is_elapsed(node.test.left)), f"{path}:{node.lineno}"


def _is_elapsed(value: ast.expr) -> bool:
    """A clock's reading less an earlier one."""
    read = {each.attr for each in ast.walk(value) if isinstance(each, ast.Attribute)}
    return isinstance(value, ast.BinOp) and bool(read & _CLOCKS)


def test_one_watched_cluster_fits_on_a_few_screens(graph: grimp.ImportGraph) -> None:
    assert len((ROOT / "agent/monitor/watched.py").read_text().splitlines()) < 200
    assert fan_out(graph, "agent.monitor.watched") < 15


def test_a_class_has_a_name_of_its_own() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_document_is_rendered_in_one_place() -> None:
    """The faces say what is in it; how it is written, instants included, they share."""
    renderers = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name in {"render_json", "render_text"}:
                renderers[node.name].append(str(path.relative_to(ROOT)))
    assert renderers == {
        "render_json": ["agent/documents/render.py"],
        "render_text": ["agent/documents/render.py"],
    }
    written = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if 'isoformat(timespec="microseconds")' in path.read_text()
    }
    assert {path for path in written if path.startswith("agent/")} == {"agent/documents/values.py"}


def test_what_follows_is_worked_out_in_the_case_alone() -> None:
    """Two programs that derive for themselves contradict each other one day."""
    derivations = {
        "timeline_tree", "backup_state", "state_by", "judge_sequence", "predict_windows",
        "close_backups", "merge_archives",
    }  # fmt: skip
    users = defaultdict(set)
    for path in MODULES:
        if not path.is_relative_to(ROOT / "rules/case"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        users[alias.name].add(str(path.relative_to(ROOT)))
    assert {name: users[name] for name in derivations if name in users} == {}
