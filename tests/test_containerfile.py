"""The steps of the Containerfile without a container engine, in a directory for a root.

Each absolute path stands below that directory. Programs are links to this machine's, without a
compiler as in the image; `apt-get` resolves the packages and installs none, `useradd` writes the
directory's own passwd. What stays untried: the base image itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.fix_prometheus import free_port
from tests.fix_tools import PATIENCE_SECONDS, need
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text()
_ABSOLUTE: Final = re.compile(r"(?<![\w.:/~-])/(?=[a-z])")
_LINKED: Final = ("sh", "env", "mkdir", "ls", "cat", "uname")
_ANSWERS_OF_APT: Final = """\
#!/bin/sh
[ "$1" = update ] && exit 0
exec {apt} --simulate "$@" >&2
"""
_RM: Final = """\
#!/bin/sh
for each; do
  case $each in -*|{root}/*) ;; *) echo "rm $each: not in the image" >&2; exit 1 ;; esac
done
exec /bin/rm "$@"
"""


class Refused(Exception):
    """A step that an engine would refuse, or that failed."""


def instructions(text: str) -> list[tuple[str, str]]:
    """Each with its arguments, in order."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    parted = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in parted]


@dataclass
class Image:
    """What the steps have made so far."""

    root: Path
    context: Path
    base: str = ""
    directory: str = "/"
    user: str = "root"
    environment: dict[str, str] = field(default_factory=dict)
    command: dict[str, list[str]] = field(default_factory=dict)  # of ENTRYPOINT and CMD
    ports: list[int] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        programs = self.root / "usr" / "bin"
        programs.mkdir(parents=True)
        (self.root / "etc").mkdir()
        for name in ("passwd", "group", "shadow"):
            (self.root / "etc" / name).touch()
        (self.root / "bin").symlink_to("usr/bin")
        for name in _LINKED:
            (programs / name).symlink_to(str(shutil.which(name)))
        (programs / "python3").symlink_to(os.path.realpath(sys.executable))
        for name, script in (
            ("apt-get", _ANSWERS_OF_APT.format(apt=shutil.which("apt-get") or "true")),
            ("useradd", f'#!/bin/sh\nexec /usr/sbin/useradd --prefix {self.root} "$@"\n'),
            ("rm", _RM.format(root=self.root)),
        ):
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)

    def below(self, words: str) -> str:
        """The same with each absolute path below the root."""
        return _ABSOLUTE.sub(f"{self.root}/", words)

    def take(self, word: str, rest: str) -> None:
        """Do one step. Raises Refused."""
        step = getattr(self, f"_{word.lower()}", None)
        if step is None:
            raise Refused(f"{word}: not known to this test")
        step(rest)

    def start(self, *changed: tuple[str, str]) -> list[str]:
        """The command of a container, with words changed."""
        words = [*self.command["ENTRYPOINT"], *self.command["CMD"]]
        return [self.below(dict(changed).get(word, word)) for word in words]

    @property
    def variables(self) -> dict[str, str]:
        """Of a process in it: nothing of this machine but how pip reaches its index."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))}
        path = self.environment.get("PATH", "/usr/bin:/bin").split(":")
        home = self.account()[5] if self.user != "root" else "/root"
        return {
            **kept,
            **{name: self.below(value) for name, value in self.environment.items()},
            "PATH": ":".join(map(self.below, path)),
            "HOME": self.below(home),
        }

    def _from(self, rest: str) -> None:
        self.base = rest

    def _run(self, rest: str) -> None:
        ran = subprocess.run(
            ["/bin/sh", "-ec", self.below(rest)],
            cwd=self.below(self.directory), env=self.variables, capture_output=True, text=True,
        )  # fmt: skip
        if ran.returncode:
            raise Refused(f"RUN {rest}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")

    def _copy(self, rest: str) -> None:
        *names, target = rest.split()
        place = Path(self.below(self.directory), self.below(target))
        for name in names:
            source = self.context / name
            if source.is_dir():
                leave = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, place, ignore=leave, dirs_exist_ok=True)
            elif source.is_file():
                shutil.copy(source, place)
            else:
                raise Refused(f"COPY {name}: not in the context")

    def _workdir(self, rest: str) -> None:
        self.directory = rest
        Path(self.below(rest)).mkdir(parents=True, exist_ok=True)

    def _user(self, rest: str) -> None:
        self.user = rest
        self.account()

    def account(self) -> list[str]:
        for line in (self.root / "etc" / "passwd").read_text().splitlines():
            if line.split(":")[0] == self.user:
                return line.replace(str(self.root), "").split(":")
        raise Refused(f"USER {self.user}: no such account")

    def _env(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self.environment[name] = value

    def _volume(self, rest: str) -> None:
        self.volumes.append(rest)

    def _expose(self, rest: str) -> None:
        self.ports.append(int(rest))

    def _entrypoint(self, rest: str) -> None:
        self.command["ENTRYPOINT"] = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.command["CMD"] = json.loads(rest)


def build(root: Path, text: str = TEXT) -> Image:
    image = Image(root, ROOT)
    for word, rest in instructions(text):
        image.take(word, rest)
    return image


@pytest.mark.slow
def test_its_steps_make_what_its_command_runs(tmp_path: Path) -> None:
    need("useradd")
    image = build(tmp_path / "root")
    assert image.base.startswith("docker.io/library/debian:")
    assert image.user != "root"
    assert image.account()[5] == image.directory in image.volumes, "it may write its state there"
    for name in ("pitr-agent", "pitr-check", "pitr-watch", "pitr-lab"):
        program = shutil.which(name, path=image.variables["PATH"])
        assert program is not None and program.startswith(str(image.root))
        ran = subprocess.run(
            [program, "--version"], env=image.variables, capture_output=True, text=True
        )
        assert ran.stdout.split()[:1] == [name], ran.stderr
    answers_on_its_port(image)


def answers_on_its_port(image: Image) -> None:
    """Run its command until it is healthy, and end it as an engine does."""
    (port,), free = image.ports, free_port()
    words = image.start((f":{port}", f"127.0.0.1:{free}"))
    assert f"127.0.0.1:{free}" in words, "EXPOSE is where CMD listens"
    program = shutil.which(words[0], path=image.variables["PATH"])
    assert program is not None, "ENTRYPOINT is on PATH"
    config = Path(words[words.index("--config") + 1])
    config.parent.mkdir(parents=True)
    config.write_text("clusters: [{name: a, archives: [{url: /backup/wal}]}]\n")
    agent = subprocess.Popen(
        [program, *words[1:]], cwd=image.below(image.directory), env=image.variables
    )

    def healthy() -> bool:
        assert agent.poll() is None, "it ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{free}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_until(healthy, "the agent of the image did not answer")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(PATIENCE_SECONDS) == 0
    finally:
        agent.kill()


_INSTALL: Final = re.compile(r"^RUN python3 -m venv.*\n", re.MULTILINE)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("COPY kernel kernel", "COPY kernels kernels", "COPY kernels: not in the context"),
        ("python3-venv", "python3-vnev", "python3-vnev"),
        ("USER pitr-agent", "USER pitragent", "USER pitragent: no such account"),
        ("EXPOSE 9870", "EXPOSED 9870", "EXPOSED: not known"),
        ("rm -rf /var", "rm -rf ../../../var", "not in the image"),
        ('["pitr-agent"]', "['pitr-agent']", "Expecting value"),
    ],
)
def test_a_broken_step_is_noticed(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Without the installation, which takes its time and breaks by itself."""
    need("useradd")
    if "vnev" in new:
        need("apt-get")
    text = _INSTALL.sub("", TEXT)
    assert old in text
    with pytest.raises((Refused, json.JSONDecodeError), match=re.escape(said)):
        build(tmp_path / "root", text.replace(old, new))
