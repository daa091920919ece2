"""The scratch server's WAL: what fetch-wal does, done in the drill's own process.

The server's account may be unable to read the archive, or to run our Python, where root drills. So
its restore_command is a few lines of shell that ask through a pipe, and the drill answers with the
file that `agent.archive.fetch` put beside it. The next segments are fetched while the server
replays.
"""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from agent.archive.fetch import FileRefused, fetch
from agent.archive.prefetch import following
from agent.drill.area import Area
from agent.drill.deadline import Crew
from agent.repositories.repository import NotRead
from agent.repositories.sources import RepositorySources
from agent.store.urls import is_remote, take
from parsers.segment import NameKind, parse_wal_name
from parsers.sentences import message_of, tr

_PREFETCH: Final = 4  # segments, if they are small
_THREADS: Final = 2  # that fetch: more would take the processor from the replay
_PREFETCH_BYTES: Final = 256 << 20  # a segment is held in memory while it is fetched
_PATIENCE_SECONDS: Final = 5.0  # for what is not wanted any more
_FETCHED, _ABSENT, _ABORT = 0, 1, 200  # above 125 PostgreSQL gives up, see agent.cli.fetch_wal

_CLIENT: Final = """\
#!/bin/sh
# restore_command of a drill: asks it for the file $1 and puts that where $2 says.
printf '%s\\n' "$1" > {place}/ask || exit 200
IFS= read -r said < {place}/answer || exit 200
case $said in
  0*) mv -f {place}/out/"$1" "$2" || exit 200 ;;
  1*) exit 1 ;;
  *) echo "pitr-agent fetch-wal: ${{said#* }}" >&2; exit 200 ;;
esac
"""

Answer = tuple[int, str]  # exit status of fetch-wal, and what it says


class WalService:
    """Answers the server's restore_command until it is closed."""

    def __init__(
        self,
        area: Area,
        roots: Sequence[str],
        repositories: RepositorySources,
        segment_bytes: int,
    ) -> None:
        self._area = area
        self._roots = roots
        self._places = [take(root) if is_remote(root) else root for root in roots]
        self._repositories = repositories
        self._segment_bytes = segment_bytes
        self._out = area.account.make_directory(area.wal / "out")
        self._ahead: dict[str, Future[Answer]] = {}
        self._count_ahead = min(_PREFETCH, _PREFETCH_BYTES // segment_bytes)
        self._crew = Crew(_THREADS, "fetch-wal")
        self.asked: str | None = None  # what the server waits for
        self.refused: dict[str, str] = {}  # file -> why it was not handed over
        self.served = 0  # segments
        self._pipes = [self._open_pipe(name) for name in ("ask", "answer")]
        self._thread = threading.Thread(target=self._serve, name="wal-service", daemon=True)

    def __enter__(self) -> WalService:
        client = self._area.wal / "ask.sh"
        client.write_text(_CLIENT.format(place=shlex.quote(str(self._area.wal))))
        client.chmod(0o500)
        self._area.account.own(client)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._pipes[0], b"\n")
        self._thread.join(_PATIENCE_SECONDS)
        self._crew.dismiss()

    @property
    def restore_command(self) -> str:
        """The client asks for a file. The archives are there for who looks where it comes from."""
        client = shlex.quote(str(self._area.wal / "ask.sh"))
        archives = [word for root in self._roots for word in ("--archive", root)]
        words = shlex.join([*archives, *self._repositories.words])
        return f"/bin/sh {client.replace('%', '%%')} %f %p {words.replace('%', '%%')}"

    @property
    def places(self) -> list[str]:
        """Where WAL is fetched from, for a person."""
        return [*self._roots, *sorted(self._repositories.archive_urls)]

    def _open_pipe(self, name: str) -> int:
        """Open for both directions: neither side ever waits for the other to come."""
        path = self._area.wal / name
        os.mkfifo(path, 0o600)
        self._area.account.own(path)
        return os.open(path, os.O_RDWR)

    # -- answering -------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Its pipes are its own: should it hang, no other file gets their numbers meanwhile."""
        try:
            self._answer_all()
        finally:
            for pipe in self._pipes:
                os.close(pipe)

    def _answer_all(self) -> None:
        heard = b""
        while True:
            heard += os.read(self._pipes[0], 4096)
            while b"\n" in heard:
                name, _, heard = heard.partition(b"\n")
                if not name:
                    return
                self.asked = name.decode("ascii", "replace")
                status, said = self._answer(self.asked)
                self.asked = None
                line = " ".join(said.split())[:3000]
                os.write(self._pipes[1], f"{status} {line}\n".encode())

    def _answer(self, name: str) -> Answer:
        ahead = self._ahead.pop(name, None)
        answer = ahead.result() if ahead else (_ABSENT, "")
        if answer[0] == _ABSENT:  # not fetched ahead, or not there yet at that time
            answer = self._fetch(name)
        if answer[0] == _ABORT:
            self.refused[name] = answer[1]
        if answer[0] == _FETCHED:
            self._look_ahead(name)
        return answer

    def _fetch(self, name: str) -> Answer:
        target = self._out / name
        said: list[str] = []
        try:
            found = fetch(
                name, str(target), self._places,
                data_directory=str(self._area.data), complain=said.append, durable=False,
                further=self._repositories.find_wal(name),
            )  # fmt: skip
            if found:
                self._area.account.own(target)
        except (FileRefused, NotRead) as error:
            return _ABORT, message_of(error)
        except Exception as error:  # 1 to 125 would be taken for the end of the WAL
            kind = type(error).__name__
            return _ABORT, tr("unexpected {kind}: {error}", kind=kind, error=error)
        return (_FETCHED if found else _ABSENT), "; ".join(said)

    def _look_ahead(self, name: str) -> None:
        """Begin to fetch the segments that follow, and forget those of before."""
        parsed = parse_wal_name(name)
        if parsed is None or parsed.kind is not NameKind.SEGMENT:
            return
        self.served += 1
        wanted = following(name, self._segment_bytes, self._count_ahead)
        for gone in self._ahead.keys() - set(wanted):
            self._ahead.pop(gone).cancel()
            (self._out / gone).unlink(missing_ok=True)
        for name_ahead in wanted:
            if name_ahead not in self._ahead:
                self._ahead[name_ahead] = self._crew.submit(partial(self._fetch, name_ahead))
