"""The known faults of PostgreSQL as one page of Markdown: docs/known-faults.md is this alone."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from parsers.sentences import joined, tr
from rules import known_faults
from rules.verdict.check import Check
from rules.verdict.fault import KnownFault

_HEAD = tr("""\
# Known faults of PostgreSQL

Some minor releases left behind backups, standbys or indexes that cannot be trusted, though every
checksum agrees. Those below are from PostgreSQL's release notes; each has a check of its own.
`make docs` writes this page from `rules/known_faults/`, which has a file for each.

Nothing in a backup or in WAL names the minor release that wrote it. It is known, in this order,
from

1. the log of the server, unless it is a standby now: each start names the release (`log` in the
   agent's configuration);
2. a person: `--server-version 18.7`, or `server_version: '18.7'` in the configuration;
3. the running server (`dsn`): exactly of a backup that began after the server's start, of an older
   one as "this release or an older one".

| what is known | what is said |
|---|---|
| made before the day of the mended releases, or by an older one | the finding |
| the release is not known | a note (info) that says how to tell; no alert |
| made by a mended release | nothing |

For indexes the severity is always info: WAL shows that indexes of a kind are written to, not their
operator class, and an update repairs no index that exists already. A cluster that initdb made after
the mended releases came out, and that runs one of them, has none to rebuild.

A major is listed where one of its releases mends the fault. What came to light after a major's last
release was never mended there.
""")


def render_known_faults(checks: dict[str, Check]) -> str:
    """The page. `checks` is the catalogue."""
    return joined("\n", [_HEAD, *_entries(checks), ""])


def load_faults() -> dict[str, KnownFault]:
    """Every fault, by the id of its check."""
    names = [module.name for module in pkgutil.iter_modules(known_faults.__path__)]
    loaded = {name: importlib.import_module(f"{known_faults.__name__}.{name}") for name in names}
    return {name: module.FAULT for name, module in loaded.items()}


def _entries(checks: dict[str, Check]) -> Iterator[str]:
    newest_first = sorted(
        load_faults().items(), key=lambda each: (-each[1].mended_on.toordinal(), each[0])
    )
    yield tr("| fault | mended by | of | severity |")
    yield "|---|---|---|---|"
    for name, fault in newest_first:
        severity = checks[name].severity.value
        yield f"| [`{name}`](#{name}) | {_mended(fault)} | {fault.mended_on} | {severity} |"
    for name, fault in newest_first:
        check = checks[name]
        yield ""
        yield f"## {name}"
        yield ""
        yield joined(" ", (check.title, check.why))
        yield ""
        if check.look:
            yield tr("**How to look.** {look}", look=check.look)
            yield ""
        yield tr("**What to do.** {remedy}", remedy=check.remedy)
        yield ""
        yield tr(
            "**Mended by** {releases} of {mended_on}. Release notes: {notes}.",
            releases=_mended(fault),
            mended_on=fault.mended_on,
            notes=fault.notes,
        )


def _mended(fault: KnownFault) -> str:
    return ", ".join(f"{major}.{minor}" for major, minor in sorted(fault.mended.items()))
