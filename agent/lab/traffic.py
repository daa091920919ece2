"""Light traffic: a few commits a second into laboratorio_pitr, until it is stopped."""

from __future__ import annotations

import threading
from typing import Final

import psycopg

from agent.postgres.cluster import Cluster

_PAUSE_SECONDS: Final = 0.3


class Traffic:
    """A thread that inserts rows; it waits and connects again while the server is away."""

    def __init__(self, primary: Cluster) -> None:
        self._primary = primary
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self.commit_count = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._insert()
            except psycopg.Error:
                self._stopping.wait(_PAUSE_SECONDS)

    def _insert(self) -> None:
        with self._primary.connect() as connection:
            while not self._stopping.wait(_PAUSE_SECONDS):
                connection.execute(
                    "INSERT INTO laboratorio_pitr (nombre) VALUES ('registro_' || %s)",
                    (self.commit_count,),
                )
                self.commit_count += 1
