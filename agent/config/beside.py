"""Where the agent keeps what must outlive it: beside the ledger, which is a cache."""

from __future__ import annotations

from pathlib import Path

from agent.config.model import Config


def beside_ledger(config: Config, what: str, suffix: str = "sqlite") -> Path | None:
    """The file of this name; None without a ledger."""
    ledger = config.ledger
    return ledger.with_name(f"{ledger.stem}-{what}.{suffix}") if ledger is not None else None
