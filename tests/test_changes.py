"""The fragments in changes/ make a section of the changelog, each of them a line of its kind."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHANGELOG = "CHANGELOG.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
KINDS = {kind["directory"]: kind["name"] for kind in PROJECT["tool"]["towncrier"]["type"]}
FRAGMENTS = sorted(
    path for path in (ROOT / "changes").iterdir() if path.name not in ("README.md", "template.md")
)


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_a_sentence_of_a_kind(fragment: Path) -> None:
    assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(KINDS)})\.md", fragment.name)
    text = fragment.read_text().strip()
    assert text.endswith(".") and not text.startswith(("-", "#"))


def test_a_release_gets_its_section(tmp_path: Path) -> None:
    for name in ("pyproject.toml", CHANGELOG):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "changes", tmp_path / "changes")
    for kind in KINDS:
        (tmp_path / "changes" / f"a-{kind}-thing.{kind}.md").write_text(f"It was {kind},\nnow.\n")
    build = [sys.executable, "-m", "towncrier", "build", "--keep", "--version", "9.9.9"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    before, after = (each.read_text() for each in (ROOT / CHANGELOG, tmp_path / CHANGELOG))
    head, mark, rest = before.partition("<!-- the newest release -->\n")
    assert mark and after.startswith(f"{head}{mark}") and after.endswith(rest)
    section = after[len(head) + len(mark) : -len(rest)]
    assert section.strip().startswith("## 9.9.9 (")
    for kind, title in KINDS.items():
        below = section.partition(f"### {title}\n")[2]
        assert f"\n- It was {kind},\n  now.\n" in below, section
    for fragment in FRAGMENTS:
        assert fragment.read_text().split("\n")[0] in section
