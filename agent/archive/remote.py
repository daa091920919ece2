"""WAL in an object store: the keys below a prefix, as a directory tree would hold them.

The same is left out as in a directory: what lies beside a PG_VERSION below the root, and what
drills leave. What a store does not give is CannotList, never an archive with less in it. Imports
are few on purpose: fetch-wal runs once a segment.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.archive.scratch_names import is_scratch
from agent.archive.tree import CannotList
from agent.store.entries import Entry
from agent.store.patience import StoreError
from agent.store.urls import place_of
from parsers.segment import is_segment_name, parse_wal_name
from parsers.sentences import tr

if TYPE_CHECKING:
    from rules.model.facts import ArchivedFile

_DATA_DIRECTORY: Final = "PG_VERSION"
_SEGMENT_FILE: Final = re.compile(r"[0-9A-F]{24}(\.[a-z0-9]+)?\Z").match
_PAGE_KEYS: Final = 900  # and what is new: one request
_GAPS_AMONG: Final = 10_000  # of the newest files: a segment missing before them will hardly come


class FoundObject(NamedTuple):
    """One object, as a file in a directory."""

    directory: str  # an address
    name: str
    entry: Entry


def walk_objects(root: str) -> Iterator[ArchivedFile | int]:
    """The objects with a name that PostgreSQL gives to WAL, and the number of all others.

    Raises CannotList.
    """
    return _as_files(_walk(_Directories(root)))


def _as_files(walk: Iterator[FoundObject | int]) -> Iterator[ArchivedFile | int]:
    from rules.model.facts import ArchivedFile

    for found in walk:
        if isinstance(found, int):
            yield found
        else:
            yield ArchivedFile(found.directory, found.name, *found.entry[1:])


class WatchedPrefix:
    """A prefix that is listed again and again: at most of these times only its newest part.

    That begins at the last good name: the page's worth before the newest key, or further back where
    a segment is missing that may still come. What lies before it is taken to be as it was, until
    `relist_seconds` have passed or a name of the newest part has gone: then all is listed.
    """

    def __init__(
        self, root: str, relist_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._relist_seconds, self._clock = relist_seconds, clock
        self._full_at: float | None = None
        self._directories = _Directories(root)
        self._files: list[ArchivedFile] = []  # in the order of their keys
        self._good = 0  # how many of them are not asked for again
        self._others = 0

    def walk(self) -> Iterator[ArchivedFile | int]:
        """What `walk_objects` gives. Raises CannotList."""
        now = self._clock()
        recent = self._full_at is not None and now - self._full_at < self._relist_seconds
        if not (recent and self._good and self._list_newest()):
            self._list_all(now)
        self._good = _last_good(self._files)
        yield from self._files
        yield self._others

    def _list_newest(self) -> bool:
        """Replace the newest part; False where something in it has gone."""
        newest = place_of(self._files[self._good - 1].path).key
        walk = _as_files(_walk(self._directories, start_after=newest))
        fresh = sorted((each for each in walk if not isinstance(each, int)), key=_path)
        if {each.path for each in fresh}.issuperset(map(_path, self._files[self._good :])):
            self._files[self._good :] = fresh
            return True
        return False

    def _list_all(self, now: float) -> None:
        directories = _Directories(self._root)
        found = list(_as_files(_walk(directories)))
        self._others = sum(each for each in found if isinstance(each, int))
        self._files = sorted((each for each in found if not isinstance(each, int)), key=_path)
        self._directories, self._full_at = directories, now


def _path(file: ArchivedFile) -> str:
    return file.path


def _last_good(files: Sequence[ArchivedFile]) -> int:
    """How many of the files, in the order of their keys, need not be listed each time.

    0 where the order of the keys is not that of the segments: what is new may lie anywhere.
    """
    looked_at = files[-_GAPS_AMONG:]
    names = [file.name[:24] for file in looked_at if _SEGMENT_FILE(file.name)]
    if names != sorted(names):
        return 0
    good = len(files) - _PAGE_KEYS
    missing = next((name for name, after in pairwise(names) if not _follows(name, after)), None)
    if missing is not None:
        place = next(i for i, file in enumerate(looked_at) if file.name.startswith(missing))
        good = min(good, len(files) - len(looked_at) + place)
    return max(good, 0)


def _follows(name: str, after: str) -> bool:
    """Whether no segment can lie between; of two timelines that is not known."""
    if name[:8] != after[:8] or name == after:
        return True
    number, later = (int(each[8:16], 16) << 32 | int(each[16:], 16) for each in (name, after))
    # Where a segment has 16 MiB, FF is followed by the next 00: of each size its own last number.
    return later - number == 1 or (name[8:16] != after[8:16] and int(after[16:], 16) == 0)


def find_objects(root: str, plain: str, names: Collection[str]) -> list[FoundObject]:
    """The objects below a prefix that have one of `names`: `plain` and a suffix.

    Looked for first where archives have it, beside each other or in folders named by a segment's
    first 16 digits; everywhere before it is called absent. Raises CannotList.
    """
    for directory in (root, f"{root}/{plain[:16]}"):
        if found := list(_beside(directory, plain, names)):
            return found
    everywhere = list(_walk(_Directories(root)))
    if everywhere == [0]:
        raise CannotList(tr("{url}: there is nothing below this prefix", url=root))
    return [each for each in everywhere if isinstance(each, FoundObject) and each.name in names]


def _beside(directory: str, plain: str, names: Collection[str]) -> Iterator[FoundObject]:
    if directory.startswith("sftp://"):  # its listing tells all names of the directory
        yield from _asked_for(directory, names)
        return
    key = place_of(f"{directory}/{plain}").key
    for entry in _list(directory, start_after=key[:-1]):
        if entry.key.startswith(key):
            name = entry.key[len(key) - len(plain) :]
            if name in names:
                yield FoundObject(directory, name, entry)
        elif entry.key > key:
            return


def _asked_for(directory: str, names: Collection[str]) -> Iterator[FoundObject]:
    from agent.store.objects import find_object

    for name in names:
        try:
            entry = find_object(f"{directory}/{name}")
        except StoreError as error:
            raise CannotList(
                tr(
                    "{path}: cannot be read: {reason}",
                    path=directory,
                    reason=error.strerror,
                )
            ) from None
        if entry is not None:
            yield FoundObject(directory, name, entry)


def _walk(ours: _Directories, start_after: str | None = None) -> Iterator[FoundObject | int]:
    found: dict[str, list[FoundObject]] = {}
    others = Counter[str]()
    for entry in _list(ours.root, start_after):
        directory, name = ours.split(entry.key)
        if is_segment_name(name) or parse_wal_name(name) is not None:
            found.setdefault(directory, []).append(FoundObject(directory, name, entry))
            continue
        others[directory] += 1
        if name == _DATA_DIRECTORY:
            ours.leave_out(directory)
    for directory in filter(ours.is_ours, found):
        yield from found[directory]
    yield sum(others[directory] for directory in filter(ours.is_ours, others))


def _list(root: str, start_after: str | None = None) -> Iterator[Entry]:
    from agent.store.objects import list_objects

    try:
        yield from list_objects(root, start_after)
    except (StoreError, FileNotFoundError) as error:
        raise CannotList(
            tr("{path}: cannot be listed: {reason}", path=root, reason=error.strerror)
        ) from None


class _Directories:
    """The directories of a prefix, each told once, and which of them belong to the archive."""

    def __init__(self, root: str) -> None:
        self.root = root
        place = place_of(root)
        self._above = f"{place.scheme}://{place.bucket}"
        self._left_out: set[str] = set()
        self._known: dict[str, str] = {}

    def split(self, key: str) -> tuple[str, str]:
        path, _, name = key.rpartition("/")
        directory = self._known.get(path)
        if directory is None:
            directory = f"{self._above}/{path}" if path else self._above
            self._known[path] = directory
        return directory, name

    def leave_out(self, directory: str) -> None:
        if directory != self.root:
            self._left_out.add(directory)

    def is_ours(self, directory: str) -> bool:
        parts = directory[len(self.root) + 1 :].split("/")
        if any(part == "lost+found" or is_scratch(part) for part in parts):
            return False
        above = self.root
        for part in filter(None, parts):
            above = f"{above}/{part}"
            if above in self._left_out:
                return False
        return True
