"""The part of the configuration that says who is told of alerts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, field_validator, model_validator

from agent.config.fields import Seconds, Strict
from parsers.sentences import tr

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class _Endpoint(Strict):
    """Where to POST: `url`, or `url_file` with the URL as its only line, for one that is secret."""

    url: str = ""
    url_file: Path | None = None
    ca_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_the_url(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "url_file" not in given:
            return given
        if "url" in given:
            raise ValueError(tr("either url or url_file, not both"))
        path = Path(str(given["url_file"]))
        try:
            return {**given, "url": path.read_text(encoding="utf-8").strip()}
        except OSError as error:
            raise ValueError(
                tr("url_file {path}: {reason}", path=path, reason=error.strerror)
            ) from None

    @model_validator(mode="after")
    def _is_a_url(self) -> _Endpoint:
        from agent.config.urls import is_url

        if not is_url(self.url):
            raise ValueError(tr("url is not one that begins with http:// or https://"))
        return self

    @field_validator("ca_file")
    @classmethod
    def _is_readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(tr("{path}: there is no such file", path=path))
        return path


class AlertmanagerConfig(_Endpoint):
    """An Alertmanager. `labels` are those that Prometheus adds to its alerts (external_labels)."""

    labels: dict[str, str] = Field(default_factory=dict)
    repeat: Seconds | None = None

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not _LABEL.fullmatch(name):
                raise ValueError(
                    tr("{name!r} is not a label's name: letters, digits and _", name=name)
                )
        return labels


class WebhookConfig(_Endpoint):
    """Anybody who takes a POST of JSON."""


class NotifyConfig(Strict):
    """One receiver: an Alertmanager, a webhook or a command."""

    alertmanager: AlertmanagerConfig | None = None
    webhook: WebhookConfig | None = None
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    timeout: Seconds = 10.0

    @model_validator(mode="after")
    def _is_one(self) -> NotifyConfig:
        if sum(kind is not None for kind in (self.alertmanager, self.webhook, self.command)) != 1:
            raise ValueError(tr("a receiver is one of alertmanager, webhook, command"))
        return self


class AlertsConfig(Strict):
    """When a finding becomes an alert, and who is told."""

    hold: Seconds | None = None  # instead of each check's own patience
    runbooks_url: str = "docs/runbooks"
    grafana_url: str = ""  # where the dashboards are; empty: links are paths alone
    notify: tuple[NotifyConfig, ...] = ()
