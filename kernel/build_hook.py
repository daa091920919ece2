"""Builds the kernel into the wheel, also the editable one, where there is a C compiler; and the
catalogues of translations/.

The kernel never makes an installation fail: without a compiler or Python.h, or if what was compiled
does not load, the wheel is pure Python, and `pitr-check --version` says so. Nothing is written into
the source tree: what lies there would get into a later, pure wheel.

    python kernel/build_hook.py DIRECTORY     builds it there, and says why it cannot

The environment: CC, CFLAGS; PITR_KERNEL=no builds none; PITR_KERNEL_TARGET (of `zig cc`, for
`make wheels`) builds for another machine, and PITR_KERNEL_PLATFORM names it in the wheel's tag.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by itself
    BuildHookInterface = object  # type: ignore[misc, assignment]

HERE: Final = Path(__file__).parent
MODULE: Final = "pitr_kernel.abi3.so"
SOURCES: Final = ("module.c", "pages_module.c", "walk.c", "journal.c", "crc.c", "pages.c")
FLAGS: Final = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
_SECONDS: Final = 120


class NotBuilt(Exception):
    """Why there is no kernel."""


class KernelHook(BuildHookInterface):  # type: ignore[misc]
    """What hatchling calls around each wheel."""

    PLUGIN_NAME = "custom"
    _scratch: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        self._scratch = tempfile.TemporaryDirectory(prefix="pitr-kernel-")
        included = build_data[
            "force_include_editable" if version == "editable" else "force_include"
        ]
        try:
            catalogues = _catalogues(Path(self._scratch.name))
        except ImportError as reason:
            self.app.display_warning(f"no language but English: {reason}")
            catalogues = {}
        for place, compiled in catalogues.items():
            included[str(compiled)] = place
        try:
            binary = build(Path(self._scratch.name))
        except NotBuilt as reason:
            self.app.display_warning(f"no compiled WAL engine: {reason}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{_platform()}"
        included[str(binary)] = MODULE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._scratch:
            self._scratch.cleanup()


def _catalogues(directory: Path) -> dict[str, Path]:
    """Those of translations/, compiled, by their place in the wheel."""
    sys.path.insert(0, str(HERE.parent))
    try:
        from translations.catalogues import compile_catalogues
    finally:
        sys.path.pop(0)
    return compile_catalogues(directory)


def build(directory: Path) -> Path:
    """Compile and try the kernel; give its path. Raises NotBuilt."""
    if os.environ.get("PITR_KERNEL") == "no":
        raise NotBuilt("PITR_KERNEL=no")
    if not sys.platform.startswith("linux"):
        raise NotBuilt(f"it is built on Linux, not on {sys.platform}")
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        raise NotBuilt(f"no Python.h in {include}")
    binary = directory / MODULE
    command = [
        *_compiler(), *FLAGS, *shlex.split(os.environ.get("CFLAGS", "")),
        "-DPy_LIMITED_API=0x030B0000", f'-DPITR_KERNEL_SOURCE="{source_digest()}"',
        f"-I{include}", *(str(HERE / name) for name in SOURCES), "-o", str(binary),
    ]  # fmt: skip
    _run(command, "compiling it failed")
    if "PITR_KERNEL_TARGET" not in os.environ:
        # -I -S: not one that is installed already
        _run([sys.executable, "-I", "-S", "-c", _TRIAL, str(directory)], "it does not load")
    return binary


_TRIAL: Final = """
import sys
sys.path.insert(0, sys.argv[1])
import pitr_kernel
walk = pitr_kernel.Walk()
walk.begin(bytes(65536), 0, 8192, 0xD116, 15, 8, 1, 12, 28, None)
assert walk.feed(bytes(8192)) is False and walk.result()[0] == 4
"""


def source_digest() -> str:
    """What tells a build from those of other sources."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted((*HERE.glob("*.c"), *HERE.glob("*.h"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compiler() -> list[str]:
    target = os.environ.get("PITR_KERNEL_TARGET")
    if target:
        return [sys.executable, "-m", "ziglang", "cc", "-target", target, "-s"]
    asked = shlex.split(os.environ.get("CC", ""))
    if asked:
        return asked
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise NotBuilt("no C compiler (cc, gcc, clang)")


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, text=True, errors="replace", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(f"{failure}: {error}") from None
    if done.returncode:
        said = (done.stderr.strip() or f"status {done.returncode}").splitlines()
        raise NotBuilt(f"{failure}: {next((line for line in said if 'error' in line), said[-1])}")


def _platform() -> str:
    named = os.environ.get("PITR_KERNEL_PLATFORM")
    return named or sysconfig.get_platform().replace("-", "_").replace(".", "_")


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1])))
    except NotBuilt as reason:
        sys.exit(f"no compiled WAL engine: {reason}")
