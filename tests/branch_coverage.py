"""Which branches of parsers and rules their tests take, without a server: `make coverage`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

LEAST: Final = {"parsers": 90.0, "rules": 90.0}  # percent
_TESTS: Final = ("tests/parsers", "tests/rules", "tests/agent")
_NAMED: Final = 10  # the files that miss most


def main() -> int:
    """Run the tests and print the shares; 1 where one is too small or a test fails."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "coverage.json")
        ran = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q",
                "-m", "not server and not slow and not campaign",
                "--cov", "--cov-report", f"json:{report}", *_TESTS,
                *sys.argv[1:],
            ],
            check=False,
        )  # fmt: skip
        files = json.loads(report.read_text())["files"]
    taken, all_of_them, missed = defaultdict(int), defaultdict(int), {}
    for path, file in files.items():
        summary, room = file["summary"], path.split("/")[0]
        taken[room] += summary["covered_branches"]
        all_of_them[room] += summary["num_branches"]
        missed[path] = summary["num_branches"] - summary["covered_branches"]
    for path in sorted(missed, key=missed.__getitem__, reverse=True)[:_NAMED]:
        print(f"{missed[path]:5} branches not taken in {path}")
    small = False
    for room, least in LEAST.items():
        share = 100 * taken[room] / all_of_them[room]
        small |= share < least
        print(f"{room}: {share:.1f} % of {all_of_them[room]} branches; the least is {least:.0f} %")
    return ran.returncode or int(small)


if __name__ == "__main__":
    sys.exit(main())
