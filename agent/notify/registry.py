"""The kinds of receivers, and the receivers of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agent.config_alerts import NotifyConfig
from agent.notify.alertmanager import Alertmanager
from agent.notify.command import Command
from agent.notify.receiver import Receiver
from agent.notify.webhook import Webhook


def make_receivers(configured: Iterable[NotifyConfig]) -> dict[str, Receiver]:
    """By name, in their order: the kind, with a number from the second on."""
    receivers: dict[str, Receiver] = {}
    seen: Counter[str] = Counter()
    for entry in configured:
        receiver = _make(entry)
        seen[receiver.kind] += 1
        count = seen[receiver.kind]
        receivers[receiver.kind if count == 1 else f"{receiver.kind}-{count}"] = receiver
    return receivers


def _make(entry: NotifyConfig) -> Receiver:
    timeout = entry.timeout
    if at := entry.alertmanager:
        return Alertmanager(
            at.url, timeout, labels=at.labels, ca_file=at.ca_file, repeat_seconds=at.repeat
        )
    if hook := entry.webhook:
        return Webhook(hook.url, timeout, ca_file=hook.ca_file)
    assert entry.command is not None
    return Command(entry.command, timeout)
