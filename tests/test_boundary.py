"""Every byte of evidence comes through `agent.store`: nothing else opens, lists or stats a file.

Whoever can write into an archive can lay anything under any name, and only `agent.store` knows to
take nothing but regular files, at once. What is not evidence is named here, with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parent.parent
_OF_OS: Final = frozenset(
    {"open", "stat", "lstat", "scandir", "listdir", "walk", "fwalk", "readlink"}
)
_OF_PATHS: Final = frozenset(
    {"open", "read_text", "read_bytes", "stat", "lstat", "iterdir", "glob", "rglob", "readlink"}
)
_MODULES: Final = frozenset({"os", "io", "gzip", "bz2", "lzma", "tarfile", "zipfile", "codecs"})

# A room or module, and what of the list above it may do because that is no evidence.
_OURS: Final = {
    "agent/store/": "the boundary itself",
    "agent/lab/": "the laboratory damages the archives of its own servers",
    "agent/config/": "our configuration, and the files that it names",
    "agent/web/config.py": "certificate and key of our own web server",
    "agent/ledger/": "our ledger, and our own source",
    "agent/private_file.py": "files of our own",
    "agent/archive/target.py": "what is written for the server that asks",
    "agent/denied.py": "whose it is, when the system did not let us read it",
    "agent/daemon/crash_marker.py": "our own state",
    "agent/engine.py": "our own installation",
    "agent/evidence/keys.py": "a key that is made; keys are read through the store",
    "agent/evidence/writer.py": "our own statements",
    "agent/reference.py": "our own installation",
    "agent/html/static_files.py": "our own installation",
    "agent/language.py": "our own installation",
    "agent/cli/entry.py": "/dev/null",
    "agent/cli/streams.py": "/dev/null",
    "agent/cli/fetch_wal.py": "our configuration",
    "agent/try_config/": "whether what our configuration names is there",
    "agent/postgres/": "PostgreSQL's programs, and the servers that we start",
    "agent/live/message_catalogues.py": "PostgreSQL's translations",
    "agent/live/logtail.py": "a log is followed while it is written and rotated; no pipe holds it",
    "agent/watch/settings.py": "which files a running server's include_dir names",
    "agent/watch/logs.py": "where a server's log lies, and since when; /proc",
    "agent/watch/probe.py": "the mode of a running server's directory",
    "agent/watch/sources.py": "whether we may read a running server's directory; /proc",
    "agent/drill/area.py": "the scratch area",
    "agent/drill/confinement.py": "the network interfaces of this process",
    "agent/drill/content.py": "what is written into the scratch area",
    "agent/drill/copy.py": "what is written into the scratch area",
    "agent/drill/increments.py": "what was written into the scratch area",
    "agent/drill/drill.py": "what the scratch server says",
    "agent/drill/server.py": "what the scratch server says",
    "agent/drill/probes.py": "the queries of a drill",
    "agent/drill/wal_service.py": "the pipes of the scratch server",
    "agent/check/try_restore.py": "what restore_command wrote into our directory",
    "agent/repositories/configured.py": "the configuration of other tools",
    "agent/repositories/secrets.py": "files of passwords that a person names",
    "agent/archive/fetch.py": "pg_control of the server that asks, and what is written for it",
    "agent/archive/prefetch.py": "the spool",
    "agent/archive/spool.py": "the spool; the times of its sources, without an import",
    "agent/backups/tablespaces.py": "where a link leads, and what uses that location here",
}
# Named as those are, and none of them.
_OTHERS: Final = {
    ("agent/archive/codecs.py", "module.open"): "decompresses a file that is open",
    ("agent/archive/tar.py", "tarfile.open"): "reads a file that is open",
    ("agent/archive/ledger_memory.py", "self._ledger.open"): "our ledger",
    ("agent/inputs/gather.py", "ledger.open"): "our ledger",
    ("agent/monitor/emptied.py", "self._ledger.open"): "our ledger",
    ("agent/monitor/store_metrics.py", "usage.read_bytes"): "a number",
    ("agent/dask_scan/words.py", "usage.read_bytes"): "a number",
}


def used(source: str) -> Iterator[tuple[int, str]]:
    """What a module asks the system about files: (line, name)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id == "open":
            yield node.lineno, "open"
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            for name in node.names:
                if name.name in _OF_OS:
                    yield node.lineno, f"{node.module}.{name.name}"
        elif isinstance(node, ast.Attribute):
            of = ast.unparse(node.value)
            if of == "os":
                if node.attr in _OF_OS:
                    yield node.lineno, f"os.{node.attr}"
            elif node.attr in _OF_PATHS and of != "entry":  # of a listing, which came through here
                yield node.lineno, f"{of}.{node.attr}"


def modules() -> list[str]:
    return sorted(str(path.relative_to(_ROOT)) for path in _ROOT.glob("agent/**/*.py"))


def is_ours(module: str) -> bool:
    return any(
        module == place or (place.endswith("/") and module.startswith(place)) for place in _OURS
    )


@pytest.mark.parametrize("module", [each for each in modules() if not is_ours(each)])
def test_evidence_is_read_through_the_store(module: str) -> None:
    found = used((_ROOT / module).read_text())
    assert [each for each in found if (module, each[1]) not in _OTHERS] == []


@pytest.mark.parametrize("place", _OURS)
def test_no_module_is_excused_that_needs_it_no_more(place: str) -> None:
    there = [each for each in modules() if each == place or each.startswith(place)]
    assert any(list(used((_ROOT / each).read_text())) for each in there)


@pytest.mark.parametrize(
    "line",
    [
        "open(path)", "os.stat(path)", "with os.scandir(path) as found: pass", "look = os.lstat",
        "from os import stat", "path.open('rb')", "(root / name).read_bytes()", "path.iterdir()",
        "gzip.open(path)", "tarfile.open(path)", "sorted(path.rglob('*'))", "map(os.stat, paths)",
    ],
)  # fmt: skip
def test_it_is_found(line: str) -> None:
    assert list(used(line))


@pytest.mark.parametrize(
    "line", ["open_file(path)", "os.path.exists(path)", "entry.stat()", "path.exists()"]
)
def test_it_is_none(line: str) -> None:
    """Whether something is there is asked of a path, which may be a StorePath; it opens nothing."""
    assert not list(used(line))
