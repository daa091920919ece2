"""The reference pages that are made from the product: findings, faults, runbooks, metrics."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from agent.daemon.own_metrics import OWN_METRICS
from agent.language import say
from agent.monitor.exporter import METRICS
from rules.alerting.findings_page import render_page
from rules.alerting.known_faults_page import render_known_faults
from rules.alerting.runbooks import render_runbooks
from rules.verdict.check import load_catalogue

WIDTH: Final = 120  # of a line of text; tables have the lines that they have


def render_reference() -> dict[Path, str]:
    """Path below docs/ -> content."""
    catalogue = load_catalogue()
    checks = catalogue.values()
    pages = {
        Path("findings.md"): render_page(checks),
        Path("known-faults.md"): render_known_faults(catalogue),
        Path("metrics.md"): render_metrics(),
    }
    for name, page in render_runbooks(checks).items():
        pages[Path("runbooks") / f"{name}.md"] = page
    return {path: "\n".join(map(_wrap, say(page).split("\n"))) for path, page in pages.items()}


def _wrap(line: str) -> str:
    if len(line) <= WIDTH or line.startswith("|"):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def write_reference(directory: Path) -> None:
    """Write all pages, and remove the runbooks of alerts that are no more. Raises OSError."""
    pages = render_reference()
    for path, content in pages.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(content, encoding="utf-8")
    for found in (directory / "runbooks").glob("Pitr*.md"):
        if found.relative_to(directory) not in pages:
            found.unlink()


def render_metrics() -> str:
    """Every metric of `/metrics`, in the order of the page."""
    lines = [
        "# Metrics",
        "",
        "What `pitr-agent` serves under `/metrics`, made from its tables by `make docs`. Each of",
        "the first has the label `cluster` besides those named; those of the second are about",
        "the agent itself. What is not known is absent, never 0.",
        *_table(METRICS),
        *_table(OWN_METRICS),
    ]
    return "\n".join(lines) + "\n"


def _table(metrics: Iterable[tuple[str, str, tuple[str, ...], str]]) -> Iterator[str]:
    yield from ("", "| metric | type | labels | |", "|---|---|---|---|")
    for name, kind, labels, help_text in metrics:
        shown = f"{name}_total" if kind == "counter" else name
        said = ", ".join(f"`{label}`" for label in labels)
        yield f"| `{shown}` | {kind} | {said} | {help_text} |"
