"""A notification as one JSON document, in the form of Alertmanager's webhook, version 4.

What already understands an Alertmanager understands this: the manual's "webhook_config". One
alert a document, so that its order and its outcome are its own.
"""

from __future__ import annotations

import hashlib
from typing import Any

from rules.alerting.notifications import Notification

_NOT_ENDED = "0001-01-01T00:00:00Z"  # Go's zero time, as Alertmanager writes it


def webhook_document(notification: Notification, receiver: str) -> dict[str, Any]:
    """One firing or resolved alert."""
    labels, annotations = dict(notification.labels), dict(notification.annotations)
    status = "resolved" if notification.resolved else "firing"
    ends_at = notification.ends_at.isoformat() if notification.ends_at else _NOT_ENDED
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": notification.starts_at.isoformat(),
        "endsAt": ends_at,
        "generatorURL": "",
        "fingerprint": _fingerprint(labels),
    }
    return {
        "version": "4",
        "groupKey": f"{labels['cluster']}/{labels['alertname']}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _fingerprint(labels: dict[str, str]) -> str:
    """The same for firing and resolved: what a receiver may tell one alert from another by."""
    text = "\0".join(f"{name}\0{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
