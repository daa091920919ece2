"""A directory on another host, over SFTP: the names below it, ranges of its files, never a write.

The same questions as those of an object store (`agent.store.objects`). One connection serves every
thread of the process: its loop runs in a thread of its own. A host whose key is not known is not
spoken to. Keys come from the agent of SSH, from `key_file` or from `~/.ssh`, whose `config` counts.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import stat
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent.store.entries import Entry, ObjectRange, Version
from agent.store.local import NO_TARGET, NotAFile, no_file
from agent.store.meter import note_bytes, request
from agent.store.patience import REST_SECONDS, Patience, StoreError
from agent.store.urls import StorePlace, StoreSettings
from parsers.segment import parse_wal_name
from parsers.sentences import tr

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient, SSHClientConnection

T = TypeVar("T")

MISSING: Final = tr(
    "sftp:// needs asyncssh: type  {python} -m pip install 'asyncssh>=2.21,<3'",
    python=sys.executable,
)
_CONNECT_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 30.0  # for one question: 32 MiB at most
_NS: Final = 10**9
_TAG_DIGITS: Final = 10**6
_NOT_OURS: Final = "lost+found"


class _Refused(StoreError):
    """An answer that asking again will not change."""


class SftpStore:
    """One account of one host. Any thread may use it; a process that forks makes its own."""

    def __init__(self, place: StorePlace, settings: StoreSettings) -> None:
        try:
            import asyncssh  # noqa: F401
        except ImportError:
            raise StoreError(MISSING) from None
        self._place, self._settings = place, settings
        self._connection: SSHClientConnection | None = None
        self._client: SFTPClient | None = None
        self._connecting: asyncio.Lock | None = None
        self._rests_until, self._last_failure = 0.0, ""

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Entry]:
        """The files below a directory, in the order of their whole names. Raises StoreError.

        A link is followed, one to a directory once. Of a file there is nothing below.
        """
        real = self._ask("list", lambda client: client.realpath(_path(prefix)), prefix)
        if not self._is_directory(prefix):
            return
        yield from self._walk(prefix, str(real), start_after or "", set())

    def read(self, key: str, start: int, length: int) -> ObjectRange:
        """Read a range. Raises FileNotFoundError when the file is gone, NotAFile, StoreError."""

        async def read(client: SFTPClient) -> tuple[bytes, SFTPAttrs]:
            await _require_file(client, key)  # a pipe would hold the server
            async with client.open(_path(key), "rb") as file:
                attributes = await file.stat()
                wanted = max(min(length, (attributes.size or 0) - start), 0)
                data = await file.read(wanted, start) if wanted else b""
                if len(data) != wanted:
                    raise StoreError(tr("the answer broke off"))
                return data if isinstance(data, bytes) else data.encode(), attributes

        data, attributes = self._ask("read", read, key)
        note_bytes(len(data))
        return ObjectRange(data, Version(attributes.size or 0, _tag(attributes)))

    def version(self, key: str) -> Version:
        """What a file is now. Raises as `read` does."""
        return self.read(key, 0, 0).version

    def find(self, key: str) -> Entry | None:
        """The file, or whatever else has exactly this name. Raises StoreError."""
        try:
            return _entry(key, self._ask("head", lambda client: client.lstat(_path(key)), key))
        except FileNotFoundError:
            return None

    def leaves(self, key: str, root: str) -> bool:
        """Whether the file is a link to what lies outside of `root`. Raises StoreError."""

        async def ends(client: SFTPClient) -> tuple[str, str]:
            if not stat.S_ISLNK((await client.lstat(_path(key))).permissions or 0):
                return "", ""
            real = [str(await client.realpath(_path(each))) for each in (key, root)]
            return real[0], real[1]

        end, top = self._ask("head", ends, key)
        return end != top and not end.startswith(f"{top.rstrip('/')}/") if end else False

    # -- walking -----------------------------------------------------------------------------------

    def _is_directory(self, key: str) -> bool:
        attributes = self._ask("list", lambda client: client.stat(_path(key)), key)
        return stat.S_ISDIR(attributes.permissions or 0)

    def _walk(self, above: str, real: str, after: str, seen: set[str]) -> Iterator[Entry]:
        if real in seen:
            return
        seen.add(real)
        found = self._ask("list", functools.partial(_listed, directory=above), above)
        for name, entry, directory in sorted(found):
            key = f"{above}/{name}" if above else name
            if directory is None:
                if key > after:
                    yield entry._replace(key=key)
            elif name != f"{_NOT_OURS}/" and (key > after or after.startswith(key)):
                yield from self._walk(key[:-1], directory or f"{real}/{name[:-1]}", after, seen)

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, operation: str, what: Callable[[SFTPClient], Awaitable[T]], key: str) -> T:
        """Put one question until it is answered, for a while."""
        if time.monotonic() < self._rests_until:
            raise StoreError(self._last_failure)
        patience = Patience()
        while True:
            try:
                with request(operation):
                    return _run(self._answer(what))
            except (FileNotFoundError, NotAFile, _Refused) as error:
                error.filename = f"{self._place.scheme}://{self._place.bucket}/{key}"
                raise
            except StoreError as error:
                self._give_up_or_wait(patience, error)

    def _give_up_or_wait(self, patience: Patience, error: StoreError) -> None:
        try:
            patience.wait(error)
        except StoreError as last:
            # It is not waited for again by each of a million files.
            self._rests_until = time.monotonic() + REST_SECONDS
            self._last_failure = last.strerror or ""
            raise

    async def _answer(self, what: Callable[[SFTPClient], Awaitable[T]]) -> T:
        import asyncssh

        try:
            return await asyncio.wait_for(what(await self._connected()), _ANSWER_SECONDS)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            raise FileNotFoundError(
                errno.ENOENT, tr("there is no such file or directory")
            ) from None
        except asyncssh.SFTPPermissionDenied:
            raise _Refused(tr("permission denied there: connect as its owner")) from None
        except asyncssh.HostKeyNotVerifiable:
            name, port = _host_and_port(self._place.bucket.rpartition("@")[2])
            ssh = f"ssh -p {port} {name}" if port else f"ssh {name}"
            raise _Refused(
                tr(
                    "the host's key is not known, or another: compare and add it with  {ssh}",
                    ssh=ssh,
                )
            ) from None
        except asyncssh.PermissionDenied:
            raise _Refused(
                tr("the host refuses this account's keys (ssh-add -l, key_file)")
            ) from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise _Refused(
                tr("a key file cannot be used: load it into the agent (ssh-add)")
            ) from None
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.SFTPEOFError):
            self._forget()
            raise StoreError(tr("the connection broke off")) from None
        except asyncssh.SFTPError as error:
            raise StoreError(
                tr("the host answers with an error ({error})", error=type(error).__name__)
            ) from None
        except TimeoutError:
            self._forget()
            raise StoreError(tr("the host does not answer in time")) from None
        except (StoreError, NotAFile):
            raise
        except (asyncssh.Error, OSError):
            self._forget()
            raise StoreError(tr("no connection to the host")) from None

    async def _connected(self) -> SFTPClient:
        import asyncssh

        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._client is None:
                user, _, host = self._place.bucket.rpartition("@")
                name, port = _host_and_port(host)
                asked = {
                    "username": user or None,
                    "port": port,
                    "client_keys": self._settings.key_file,
                    "known_hosts": self._settings.known_hosts_file,
                }
                self._connection = await asyncssh.connect(
                    name,
                    connect_timeout=_CONNECT_SECONDS,
                    keepalive_interval=_CONNECT_SECONDS,
                    **{key: value for key, value in asked.items() if value is not None},
                )
                self._client = await self._connection.start_sftp_client()
            return self._client

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._connection = self._client = None


def _host_and_port(host: str) -> tuple[str, int | None]:
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (name.strip("[]"), int(port)) if name and port.isdigit() else (host.strip("[]"), None)


def _path(key: str) -> str:
    """On the host: absolute, or what follows `~/` in the account's home."""
    return key.removeprefix("~/") or "." if key == "~" or key.startswith("~/") else f"/{key}"


async def _listed(client: SFTPClient, directory: str) -> list[tuple[str, Entry, str | None]]:
    """Each name of a directory, and where it leads: None for all but directories.

    The name of a directory has a slash at its end, as in the whole names of what is below it; where
    it leads is empty unless it is a link. One named as a WAL file is listed, and cannot be read.
    """
    found: list[tuple[str, Entry, str | None]] = []
    async for each in client.scandir(_path(directory)):
        name, attributes, leads_to = str(each.filename), each.attrs, ""
        if name in (".", ".."):
            continue
        if stat.S_ISLNK(attributes.permissions or 0):
            path = f"{_path(directory)}/{name}"
            attributes, leads_to = await _followed(client, path, attributes)
        is_directory = stat.S_ISDIR(attributes.permissions or 0) and not parse_wal_name(name)
        entry = _entry(name, attributes)
        found.append((f"{name}/", entry, leads_to) if is_directory else (name, entry, None))
    return found


async def _followed(client: SFTPClient, path: str, of_link: SFTPAttrs) -> tuple[SFTPAttrs, str]:
    """What a link leads to, and where that is; itself where it leads to nothing."""
    import asyncssh

    try:
        return await client.stat(path), str(await client.realpath(path))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPFailure, asyncssh.SFTPLinkLoop):
        return of_link, ""


async def _require_file(client: SFTPClient, key: str) -> None:
    """Raise NotAFile for what has the name and is no file."""
    import asyncssh

    try:
        kind = no_file((await client.stat(_path(key))).permissions or stat.S_IFREG)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPFailure, asyncssh.SFTPLinkLoop):
        await client.lstat(_path(key))
        kind = NO_TARGET
    if kind:
        raise NotAFile(errno.EINVAL, kind)


def _entry(key: str, attributes: SFTPAttrs) -> Entry:
    """SFTP tells whole seconds, of the last write alone; ctime_ns is no earlier than that."""
    below, above = _tag(attributes)
    seconds = attributes.mtime or 0
    return Entry(key, attributes.size or 0, seconds * _NS + below, (seconds + 1) * _NS + above)


def _tag(attributes: SFTPAttrs) -> tuple[int, int]:
    """The second of the last write, as the digits that objects have of their version."""
    return (attributes.mtime or 0) % _TAG_DIGITS, 0


# -- the loop --------------------------------------------------------------------------------------


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    with _starting:
        loop = _loop()
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


_starting: Final = threading.Lock()


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # what fails is said by us
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sftp", daemon=True).start()
    return loop
