"""The house in figures and as a drawing: `python -m tests.house [ROOT] > docs/house.md`.

Counts what `grimp`, import-linter's own graph, finds. ROOT may be another checkout, to hold this
one beside it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grimp

HOUSES: Final = ("parsers", "rules", "agent")
_DRAWN_FROM: Final = 6  # imports: fewer between two rooms are no line


def main() -> None:
    """Print the page for the checkout that is named, or for this one."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    sys.path.insert(0, str(root))
    graph = grimp.build_graph(*HOUSES, cache_dir=None)
    print("\n".join(page(root, graph)))


def room_of(module: str) -> str:
    """The first package below a house; a lone module is its own room."""
    return ".".join(module.split(".")[:2])


def room_imports(graph: grimp.ImportGraph) -> Counter[tuple[str, str]]:
    """How many imports lead from each room into each other one."""
    return Counter(
        (room_of(module), room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if room_of(module) != room_of(imported) and "." in module and "." in imported
    )


def fan_out(graph: grimp.ImportGraph, module: str) -> int:
    """How many modules of the house one imports."""
    return len(graph.find_modules_directly_imported_by(module))


def page(root: Path, graph: grimp.ImportGraph) -> Iterator[str]:
    """The figures, then the drawing."""
    yield "# The house"
    yield ""
    yield "Made by `make house`. What each room is for: its package's docstring."
    yield ""
    edges = room_imports(graph)
    rooms = {room for edge in edges for room in edge}
    both = sorted({tuple(sorted(edge)) for edge in edges if edge[::-1] in edges})
    folders = Counter(
        str(path.parent.relative_to(root))
        for house in HOUSES
        for path in (root / house).rglob("*.py")
        if path.stem != "__init__"
    )
    widest = max(graph.modules, key=lambda module: (fan_out(graph, module), module))
    yield "| | |"
    yield "|---|---|"
    yield f"| modules | {len(graph.modules)} |"
    yield f"| rooms | {len(rooms)} |"
    yield f"| imports between rooms | {sum(edges.values())} |"
    yield f"| rooms that import each other | {', '.join(' and '.join(p) for p in both) or 'none'} |"
    yield f"| largest folders | {_largest(folders)} |"
    yield f"| most imports in one module | {widest}: {fan_out(graph, widest)} |"
    yield ""
    yield "```mermaid"
    yield "graph TD"
    for (importer, imported), count in sorted(edges.items()):
        if count >= _DRAWN_FROM:
            yield f"  {importer} --> {imported}"
    yield "```"


def _largest(folders: Counter[str]) -> str:
    return ", ".join(f"{folder} {count}" for folder, count in folders.most_common(4))


if __name__ == "__main__":
    main()
