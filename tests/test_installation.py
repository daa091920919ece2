"""Each way to install that the guide names, tried from an sdist into an empty home."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.fix_check import timeless
from tests.unpack import unpack_tar

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guides" / "first-verdict.md"
TOOLS = Path(sysconfig.get_path("scripts"))  # uv and pipx are beside us
COMMANDS = ("pitr-agent", "pitr-check", "pitr-watch", "pitr-lab")
INSTALLATIONS = re.findall(r"^```sh\n(.+? \.(?: &&.*)?)\n```$", GUIDE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, as the sdist gives it."""
    place = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", place / "built"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = (place / "built").iterdir()
    unpack_tar(built, place / "unpacked")
    (unpacked,) = (place / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sample")
    unpack_tar(ROOT / "tests" / "data" / "archives" / "good_15.tar.xz", place)
    return place


def run(
    command: str, home: Path, directory: Path, *, statuses: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[str]:
    """As a shell of a user who has nothing yet but Python and the installer."""
    path = (home / ".local/bin", home / "pitr/bin", TOOLS, "/usr/local/bin", "/usr/bin", "/bin")
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    ran = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=directory, capture_output=True, text=True,
        env=kept | {
            "HOME": str(home), "PATH": ":".join(map(str, path)), "LANG": "C.UTF-8",
            "UV_SYSTEM_CERTS": "1",  # pip believes whom the machine believes, uv if it is told to
        },
    )  # fmt: skip
    assert ran.returncode in statuses, ran.stdout + ran.stderr
    return ran


def test_the_guide_names_three() -> None:
    assert [re.split(r"[ /]", command)[0] for command in INSTALLATIONS] == ["uv", "pipx", "python3"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=name, marks=() if name == "uv" else pytest.mark.campaign)
        for command, name in zip(INSTALLATIONS, ("uv", "pipx", "venv"), strict=True)
    ],
)
def test_the_four_commands_run_from_there(
    command: str, source: Path, archive: Path, tmp_path: Path
) -> None:
    run(command, tmp_path, source)
    for name in COMMANDS:
        where = run(f"command -v {name}", tmp_path, tmp_path).stdout.strip()
        assert where.startswith(str(tmp_path)), "what ran is not what was installed"
        assert run(f"{name} --version", tmp_path, tmp_path).stdout.split()[0] == name
    asked = f"--archive {archive}/archive --backup {archive}/backup --backup-depth label"
    check = f"pitr-check {asked} --format json"
    ours = subprocess.run([TOOLS / check.split()[0], *check.split()[1:]], capture_output=True)
    theirs = run(check, tmp_path, tmp_path, statuses=(ours.returncode,))
    assert timeless(json.loads(theirs.stdout)) == timeless(json.loads(ours.stdout))
