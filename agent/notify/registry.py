"""The kinds of receivers, and the receivers of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agent.config.alerts import NotifyConfig
from agent.notify.command import CommandReceiver
from agent.notify.receiver import Receiver


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
        from agent.notify.alertmanager import Alertmanager  # and httpx: 7 MiB

        return Alertmanager(
            at.url, timeout, labels=at.labels, ca_file=at.ca_file, repeat_seconds=at.repeat
        )
    if hook := entry.webhook:
        from agent.notify.webhook import Webhook

        return Webhook(hook.url, timeout, ca_file=hook.ca_file)
    assert entry.command is not None
    return CommandReceiver(entry.command, timeout)
