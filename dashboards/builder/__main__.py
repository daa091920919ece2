"""Write the dashboards: `python -m dashboards.builder DIRECTORY`, or `make dashboards`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.builder.cluster import cluster
from dashboards.builder.fleet import fleet
from dashboards.builder.restore import restore


def render() -> dict[str, str]:
    """Name of the file -> the dashboard's JSON."""
    built = [make().build() for make in (fleet, cluster, restore)]
    return {
        f"{dashboard.uid}.json": json.dumps(dashboard, cls=JSONEncoder, indent=2) + "\n"
        for dashboard in built
    }


def main(arguments: Sequence[str]) -> None:
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
