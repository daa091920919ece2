"""Wheels with the compiled engine for every Linux that has wheels, made on one machine.

    make wheels        into dist/; those that run here are installed and tried

`zig cc` (the package ziglang) is a compiler for all of them, glibc's of 2014 included. The fifth
wheel is pure Python: pip takes it where none of the others fits.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
# zig's name of the target -> the wheel's platform
TARGETS: Final = {
    "x86_64-linux-gnu.2.17": "manylinux_2_17_x86_64",
    "aarch64-linux-gnu.2.17": "manylinux_2_17_aarch64",
    "x86_64-linux-musl": "musllinux_1_2_x86_64",
    "aarch64-linux-musl": "musllinux_1_2_aarch64",
}


def main() -> None:
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")
    for target, named in TARGETS.items():
        build(directory, PITR_KERNEL_TARGET=target, PITR_KERNEL_PLATFORM=named)
        (wheel,) = directory.glob(f"*-cp311-abi3-{named}.whl")
        print(wheel)
        if named == f"manylinux_2_17_{platform.machine()}" and platform.libc_ver()[0] == "glibc":
            try_out(wheel, "WAL engine: compiled (")
    build(directory, PITR_KERNEL="no")
    (pure,) = directory.glob("*-py3-none-any.whl")
    print(pure)
    try_out(pure, "WAL engine: numpy;")


def build(directory: Path, **environment: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def try_out(wheel: Path, expected: str) -> None:
    """Install a wheel where nothing else is, and ask it which engine runs, and in Spanish."""
    with tempfile.TemporaryDirectory(prefix="pitr-wheel-") as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [f"{place}/bin/pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
        for question, answer in (("--version", expected), ("--lang=es --help", "uso: ")):
            said = subprocess.run(
                [f"{place}/bin/pitr-check", *question.split()],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            if answer not in said:
                sys.exit(f"{wheel.name}: {said}")
            print(f"  tried: {next(line for line in said.splitlines() if answer in line)}")


if __name__ == "__main__":
    main()
