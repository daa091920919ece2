"""The segments that a chain of statements has proven: a name and the SHA-256 of its content each.

A statement holds only what changed since the one before, and the digest of the whole: `root`. It is
made in two steps, so that a large archive is not hashed again for each statement:

    lines of a group   "NAME DIGEST\\n", of segments whose names share the first 22 digits, sorted
    root               SHA-256 of the lines "PREFIX SHA-256-of-the-group's-lines\\n", sorted

`sha256sum` of a segment, decompressed, is its digest: nobody needs this program to compare one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from typing import Final

from parsers.evidence.statement import WalChange

_PREFIX: Final = 22  # digits: 256 segments at most in a group
# Of one statement: a line a segment, 2 MB. More goes into statements before it.
READ_MAX: Final = 20_000


class Inventory:
    """The state of one archive's WAL, as far as it was proven."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}  # segment -> SHA-256
        self._groups: dict[str, dict[str, str]] = {}
        self._hashed: dict[str, str] = {}  # group -> its digest; absent: to be made

    def take(self, change: WalChange) -> None:
        """Apply what a statement says."""
        if change.whole:
            self.digests.clear()
            self._groups.clear()
            self._hashed.clear()
        for name in change.gone:
            self._remove(name)
        for name, digest in change.read.items():
            self._put(name, digest)

    @property
    def root(self) -> str:
        for prefix in self._groups.keys() - self._hashed.keys():
            group = self._groups[prefix]
            lines = "".join(f"{name} {group[name]}\n" for name in sorted(group))
            self._hashed[prefix] = hashlib.sha256(lines.encode()).hexdigest()
        lines = "".join(f"{prefix} {self._hashed[prefix]}\n" for prefix in sorted(self._hashed))
        return hashlib.sha256(lines.encode()).hexdigest()

    def _put(self, name: str, digest: str) -> None:
        self.digests[name] = digest
        self._groups.setdefault(name[:_PREFIX], {})[name] = digest
        self._hashed.pop(name[:_PREFIX], None)

    def _remove(self, name: str) -> None:
        if self.digests.pop(name, None) is None:
            return
        prefix = name[:_PREFIX]
        self._hashed.pop(prefix, None)
        del self._groups[prefix][name]
        if not self._groups[prefix]:
            del self._groups[prefix]


def changes(
    inventory: Inventory,
    name: str,
    archives: tuple[str, ...],
    read: Mapping[str, str],
    listed: Container[str],
    *,
    whole: bool = False,
) -> Iterator[WalChange]:
    """What is to be said of WAL that was read, in as many statements as it takes; at least one.

    `read` are the digests of what was read, `listed` what the archives have: what is listed and was
    not read this time stays as it was. `inventory` has taken all of it at the end.
    """
    new = {at: read[at] for at in sorted(read) if inventory.digests.get(at) != read[at]}
    gone = tuple(at for at in sorted(inventory.digests) if at not in listed)
    yield from _in_parts(inventory, name, archives, new, gone, whole=whole)


def everything(inventory: Inventory, name: str, archives: tuple[str, ...]) -> Iterator[WalChange]:
    """All that is proven, once more: a file begins with it, and needs none of those before."""
    known = dict(sorted(inventory.digests.items()))
    yield from _in_parts(inventory, name, archives, known, (), whole=True)


def _in_parts(
    inventory: Inventory,
    name: str,
    archives: tuple[str, ...],
    read: Mapping[str, str],
    gone: tuple[str, ...],
    *,
    whole: bool,
) -> Iterator[WalChange]:
    names = list(read)
    for at in range(0, max(len(names), len(gone), 1), READ_MAX):
        change = WalChange(
            name=name,
            archives=archives,
            count=0,
            root="",
            whole=whole and at == 0,
            read={each: read[each] for each in names[at : at + READ_MAX]},
            gone=gone[at : at + READ_MAX],
        )
        inventory.take(change)
        yield WalChange(
            name=name,
            archives=archives,
            count=len(inventory.digests),
            root=inventory.root,
            whole=change.whole,
            read=change.read,
            gone=change.gone,
        )
