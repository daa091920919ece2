"""HTTP for receivers: one POST of JSON, with what went wrong in a line that has no secret in it.

A password, a token in the path and a query stay out of every message: of a URL only scheme, host
and port are ever shown.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any, Final

import httpx

from agent import __version__
from agent.notify.receiver import DeliveryRefused, NotTaken

# The request itself is wrong: sending it again would end in the same answer.
_NEVER: Final = frozenset({400, 413, 415, 422})


class Endpoint:
    """One URL, with a client that keeps its connection."""

    def __init__(self, url: str, timeout_seconds: float, ca_file: Path | None = None) -> None:
        parsed = httpx.URL(url)
        self.where = _origin(parsed)
        self._url = parsed.copy_with(userinfo=b"", fragment=None)
        self.digest = hashlib.sha256(str(self._url).encode()).hexdigest()[:16]
        self._auth = httpx.BasicAuth(parsed.username, parsed.password) if parsed.userinfo else None
        self._timeout_seconds = timeout_seconds
        self._ca_file = ca_file
        self._client: httpx.Client | None = None

    def post(self, document: Any) -> None:
        """Raises NotTaken, Refused."""
        try:
            answer = self._connect().post(self._url, json=document)
        except httpx.TimeoutException:
            raise NotTaken(f"{self.where} did not answer in {self._timeout_seconds:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            raise NotTaken(f"{self.where}: {_reason(error)}") from None
        if answer.is_success:
            return
        kind = DeliveryRefused if answer.status_code in _NEVER else NotTaken
        raise kind(f"{self.where} answered {answer.status_code} {answer.reason_phrase}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _connect(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(
                auth=self._auth,
                timeout=self._timeout_seconds,
                # The system's authorities, as every other program here, and not a bundle.
                verify=ssl.create_default_context(cafile=self._ca_file),
                headers={"User-Agent": f"pitr-agent/{__version__}"},
            )
        return self._client


def _origin(url: httpx.URL) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}"


def _reason(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
