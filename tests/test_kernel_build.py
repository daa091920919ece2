"""The compiled engine is built where it can be, and nowhere makes an installation fail."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from kernel import build_hook
from parsers.wal import kernel
from tests import fuzz_kernel
from tests.unpack import unpack_tar

ROOT = Path(__file__).parent.parent


def hatchling(source: Path, target: str, directory: Path, **environment: str) -> Path:
    """Build one distribution; give it."""
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", directory],
        cwd=source, env=os.environ | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (made,) = directory.iterdir()
    return made


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


def source_in(binary_place: Path) -> str:
    """What the module in a directory says it was compiled from, in a Python of its own."""
    code = f"import sys; sys.path.insert(0, {str(binary_place)!r}); import pitr_kernel as k; "
    code += "print(k.__file__, k.SOURCE)"
    command = [sys.executable, "-I", "-c", code]
    where, source = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    assert Path(where).parent == binary_place
    return source


@pytest.mark.needs("a C compiler")
def test_the_wheel_has_the_engine_also_by_way_of_the_sdist(tmp_path: Path) -> None:
    archive = hatchling(ROOT, "sdist", tmp_path / "sdist")
    unpack_tar(archive, tmp_path / "unpacked")
    with tarfile.open(archive) as members:
        stray = [name for name in members.getnames() if name.endswith((".so", ".o"))]
    assert stray == []
    (source,) = (tmp_path / "unpacked").iterdir()
    wheel = hatchling(source, "wheel", tmp_path / "wheel")
    assert "-cp311-abi3-linux_" in wheel.name
    assert [name for name in names_in(wheel) if name.endswith(".so")] == [build_hook.MODULE]
    with zipfile.ZipFile(wheel) as packed:
        packed.extract(build_hook.MODULE, tmp_path / "installed")
    assert source_in(tmp_path / "installed") == build_hook.source_digest()


@pytest.mark.parametrize(
    "environment",
    [{"CC": "/nonexistent/cc"}, {"CC": "false"}, {"CC": "true"}, {"PITR_KERNEL": "no"}],
    ids=["no compiler", "a compiler that fails", "one that makes nothing", "not wanted"],
)
def test_without_it_the_wheel_is_pure(environment: dict[str, str], tmp_path: Path) -> None:
    wheel = hatchling(ROOT, "wheel", tmp_path, **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in names_in(wheel) if name.endswith(".so")]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(build_hook.NotBuilt, match=rf"no Python\.h in {tmp_path}"):
        build_hook.build(tmp_path)
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build_hook.NotBuilt, match="no C compiler"):
        build_hook.build(tmp_path)
    monkeypatch.setenv("CC", "false")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(build_hook.NotBuilt, match="compiling it failed"):
        build_hook.build(tmp_path)


@pytest.mark.needs("the compiled engine")
def test_the_installed_engine_is_of_these_sources() -> None:
    """Else every comparison of the engines is with an older one: make env builds it again."""
    built = kernel.built()
    assert built is not None and build_hook.source_digest() == built.SOURCE


def test_a_binary_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        INTERFACE = 0

    monkeypatch.setitem(sys.modules, "pitr_kernel", Other)  # type: ignore[arg-type]
    assert kernel.built.__wrapped__() is None


@pytest.mark.needs("a C compiler")
def test_no_input_of_the_corpus_makes_a_sanitizer_report(tmp_path: Path) -> None:
    program = fuzz_kernel.build(tmp_path)
    files = [*fuzz_kernel.make_seeds(tmp_path), *sorted(fuzz_kernel.CORPUS.glob("*.pages"))]
    done = fuzz_kernel.fuzz(program, 5, 1, tmp_path / "last", files)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "no report" in done.stdout
