"""`pitr-agent fetch-wal` from repositories of other tools: sound or refused, never in between."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parsers.repository.pgbackrest import parse_stored_name
from tests.fix_repositories import Sample, Samples, look_of
from tests.fix_tools import PATIENCE_SECONDS

PROGRAM = Path(sys.executable).with_name("pitr-agent")


def fetch(sample: Sample, name: str, target: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [PROGRAM, "fetch-wal", *options, name, target],
        capture_output=True, text=True, env=sample.environment, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def stored(sample: Sample, number: int = 1) -> dict[str, Path]:
    found = {}
    for path in sorted((Path(sample.url(number)) / "archive").rglob("*")):
        if (name := parse_stored_name(path.name)) is not None:
            found[name.segment] = path
    return found


def sha1_in(path: Path) -> str:
    name = parse_stored_name(path.name)
    assert name is not None
    return name.sha1


def test_encrypted_and_compressed_segments_are_what_their_names_say(
    samples: Samples, tmp_path: Path
) -> None:
    sample = samples("br_two_repos_15")
    files, before = stored(sample, 2), look_of(sample.root)
    secret = sample.truth["cipher_pass"]["2"]
    closed = Sample(sample.case, sample.root, {"cipher_pass": {"1": secret}})
    for name in (min(files), max(files)):
        target = tmp_path / name
        assert fetch(closed, name, target, "--repository", sample.url(2)) == (0, "")
        assert hashlib.sha1(target.read_bytes()).hexdigest() == sha1_in(files[name])
    later = "0000000100000000000000FF"
    assert fetch(closed, later, tmp_path / later, "--repository", sample.url(2)) == (1, "")
    assert look_of(sample.root) == before


def flipped(sample: Sample, folder: Path, number: int, name: str) -> Sample:
    """One byte of a stored segment is another."""
    shutil.copytree(sample.root, folder / sample.case, symlinks=True)
    copy = Sample(sample.case, folder / sample.case, sample.truth)
    path = stored(copy, number)[name]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    return copy


def test_a_flipped_byte_is_refused_or_taken_from_the_other_repository(
    samples: Samples, tmp_path: Path
) -> None:
    """pgBackRest hands this very file over with exit status 0, though repo1's is sound."""
    whole = samples("br_two_repos_15")
    name = sorted(stored(whole, 1).keys() & stored(whole, 2).keys())[2]
    sample = flipped(whole, tmp_path, 2, name)
    config = tmp_path / "pgbackrest.conf"
    text = "[global]\n" + "".join(f"repo{n}-path={sample.url(n)}\n" for n in (1, 2))
    config.write_text(f"{text}repo2-cipher-type=aes-256-cbc\n[main]\npg1-path=/pg\n")
    target = tmp_path / name
    status, said = fetch(sample, name, target, "--pgbackrest", str(config), "--stanza", "main")
    assert status == 0 and f"{stored(sample, 2)[name]} was passed over" in said
    assert hashlib.sha1(target.read_bytes()).hexdigest() == sha1_in(stored(sample, 1)[name])
    config.write_text(text.replace("repo1-path", "#") + "[main]\npg1-path=/pg\n")
    status, said = fetch(sample, name, tmp_path / "alone", "--pgbackrest", str(config))
    assert status == 200 and said.count("\n") == 1 and not (tmp_path / "alone").exists()


@pytest.mark.parametrize("secret", ["wrong", None])
def test_without_the_passphrase_recovery_stops_and_is_told_why(
    samples: Samples, tmp_path: Path, secret: str | None
) -> None:
    sample = samples("br_two_repos_15")
    closed = Sample(sample.case, sample.root, {"cipher_pass": {"1": secret} if secret else {}})
    name = min(stored(sample, 2))
    status, said = fetch(closed, name, tmp_path / name, "--repository", sample.url(2))
    assert status == 200 and said.count("\n") == 1 and str(stored(sample, 2)[name]) in said


def test_one_repository_alone(samples: Samples, tmp_path: Path) -> None:
    """What it lacks is not taken from the other."""
    sample = samples("br_two_repos_15")
    (lost,) = sample.truth["missing"]["1"]
    urls = [word for n in sample.numbers for word in ("--repository", sample.url(n))]
    assert fetch(sample, lost, tmp_path / "both", *urls) == (0, "")
    assert fetch(sample, lost, tmp_path / "one", *urls, "--repo", "1") == (1, "")
    assert fetch(sample, lost, tmp_path / "two", *urls, "--repo", "2") == (0, "")


def test_the_configuration_of_the_agent_names_them(samples: Samples, tmp_path: Path) -> None:
    """With a passphrase from a file of its own, a cluster alone and a stanza of a fleet."""
    sample = samples("br_two_repos_15")
    secret = tmp_path / "secret"
    secret.write_text(sample.truth["cipher_pass"]["2"])
    config = tmp_path / "pitr.yaml"
    one = f"{{url: {sample.url(2)}, stanza: STANZA, passphrase_file: {secret}}}"
    clusters = [
        f"  - {{name: one, repositories: [{one.replace('STANZA', 'main')}]}}",
        f"  - {{name: all, repositories: [{one.replace('STANZA', chr(34) + '*' + chr(34))}]}}",
    ]
    config.write_text("\n".join(["clusters:", *clusters, ""]))
    name = min(stored(sample, 2))
    closed = Sample(sample.case, sample.root, {})
    for cluster in ("one", "all/main"):
        target = tmp_path / cluster.replace("/", "-")
        options = ("--config", str(config), "--cluster", cluster)
        assert fetch(closed, name, target, *options) == (0, "")
        assert hashlib.sha1(target.read_bytes()).hexdigest() == sha1_in(stored(sample, 2)[name])
    status, said = fetch(closed, name, tmp_path / "x", "--config", str(config), "--cluster", "no")
    assert status == 200 and "which cluster? --cluster NAME, one of one, all/main" in said


def test_segments_are_fetched_ahead(samples: Samples, tmp_path: Path) -> None:
    """Decrypted, by a process that has the passphrase from its environment alone."""
    sample = samples("br_two_repos_15")
    names = sorted(stored(sample, 2))
    data = tmp_path / "data"
    (data / "pg_wal").mkdir(parents=True)
    (data / "global").mkdir()
    (data / "recovery.signal").touch()
    urls = [word for n in sample.numbers for word in ("--repository", sample.url(n))]
    identifier = sample.truth["system_identifier"][0]
    (data / "global" / "pg_control").write_bytes(identifier.to_bytes(8, "little"))
    target = data / "pg_wal" / "RECOVERYXLOG"
    assert fetch(sample, names[0], target, *urls, "--repo", "2", "--prefetch", "2") == (0, "")
    spool = data / "pg_wal" / ".pitr-prefetch"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (spool / names[1]).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert fetch(sample, names[1], target, *urls, "--repo", "2", "--prefetch", "2") == (0, "")
    assert hashlib.sha1(target.read_bytes()).hexdigest() == sha1_in(stored(sample, 2)[names[1]])
    (data / "recovery.signal").unlink()  # it goes away
    while spool.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("case", ["bm_gap_16", "wg_zstd_sodium_gap_18"])
def test_other_tools_archives(samples: Samples, tmp_path: Path, case: str) -> None:
    sample = samples(case)
    size, name = sample.truth["wal_segment_size"], min(sample.open().list_archive().segments)
    target = tmp_path / name
    assert fetch(sample, name, target, "--repository", sample.url()) == (0, "")
    assert target.stat().st_size == size
    lost = sample.truth["missing"][0]
    assert fetch(sample, lost, tmp_path / lost, "--repository", sample.url()) == (1, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--repository", "/nowhere"), "/nowhere: there is no such directory"),
        (("--repository", "/nowhere", "--repo", "2"), "--repo 2: the repositories there are: 1"),
        (("--repository", "/nowhere", "--walg", "/c"), "name a tool's configuration, or each"),
        (("--pgbackrest", "/nowhere"), "--pgbackrest /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_is_never_taken_for_the_end(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    nobody = Sample("", tmp_path, {})
    status, line = fetch(nobody, "000000010000000000000001", tmp_path / "x", *options)
    assert status == 200 and said in line and line.count("\n") == 1
