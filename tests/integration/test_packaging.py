"""What a person installs: units that systemd accepts, a role that suffices, completions."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import psycopg
import pytest
import yaml

from agent.cli.completion import PROGRAMS, SHELLS, render_completion
from agent.postgres.installation import Installation
from tests.fix_agent import FAST, UNHURRIED, WatchedAgent
from tests.fix_check import Archived
from tests.fix_postgres import NewCluster
from tests.fix_prometheus import Program
from tests.fix_tools import PATIENCE_SECONDS, need_program
from tests.ports import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "packaging" / "systemd").iterdir())
BIN = Path(sys.executable).parent
TEXTFILE = ROOT / "packaging" / "textfile" / "pitr-textfile"


@pytest.fixture
def installed_units(tmp_path: Path) -> list[Path]:
    """The units, with the programs of this environment in the place of the installed ones."""
    copies = []
    for unit in UNITS:
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text().replace("/opt/pitr-agent/bin", str(BIN)))
    return copies


def systemd_analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = need_program("systemd-analyze")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def test_systemd_accepts_the_units(installed_units: list[Path]) -> None:
    checked = systemd_analyze("verify", "--man=no", *installed_units)
    ours = [line for line in checked.stderr.splitlines() if "pitr-" in line]
    assert (checked.returncode, ours) == (0, [])


def test_the_units_are_hardened(installed_units: list[Path]) -> None:
    for unit in installed_units:
        if unit.suffix == ".service":
            judged = systemd_analyze("security", "--offline=yes", "--threshold=20", unit)
            assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_containerfile_copies_what_is_there() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "COPY":
            assert all((ROOT / name).exists() for name in rest.split()[:-1]), line


def test_the_wheel_has_the_files_of_the_page(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    page, shared = ROOT / "agent" / "page", ROOT / "agent" / "html"
    files = (*page.rglob("*"), *shared.rglob("*"))
    here = {str(file.relative_to(ROOT)) for file in files if file.is_file()}
    with zipfile.ZipFile(wheel) as packed:
        assert {name for name in here if "__pycache__" not in name} <= set(packed.namelist())


def test_the_files_of_others_are_what_their_notice_says() -> None:
    vendored = ROOT / "agent" / "html" / "static" / "vendor"
    notice = (vendored / "NOTICE").read_text()
    for script in vendored.glob("*.js"):
        assert script.name in notice
        assert hashlib.sha256(script.read_bytes()).hexdigest() in notice
        assert (
            vendored / f"{script.name.partition('.')[0].removesuffix('-ext')}.LICENSE"
        ).is_file()


@pytest.mark.parametrize("command", [["--help"], ["fetch-wal", "--help"]])
def test_what_must_start_fast_leaves_the_page_alone(command: list[str]) -> None:
    started = subprocess.run(
        [sys.executable, "-X", "importtime", BIN / "pitr-agent", *command],
        capture_output=True, text=True,
    )  # fmt: skip
    assert started.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in started.stderr.splitlines()}
    assert "agent.cli.start" in imported
    assert not imported & {"jinja2", "fastapi", "starlette", "uvicorn", "agent.page", "agent.html"}


@pytest.mark.pg("== 16")
def test_the_role_suffices_and_cannot_write(
    pg: Installation, new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(pg)
    with cluster.connect() as connection:
        connection.execute((ROOT / "packaging" / "sql" / "role.sql").read_bytes())
    dsn = cluster.dsn.replace("user=postgres", "user=pitr_agent")
    agent = WatchedAgent(tmp_path)
    agent.start({"clusters": [{"name": "lab", "dsn": dsn}], "defaults": FAST | UNHURRIED})
    try:
        agent.wait_for(
            lambda page: [each.value for each in page.select("pitr_collector_success")] == [1.0] * 9
        )
    finally:
        agent.stop()
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE t (n int)")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pitr-agent ru", {"run", "rules"}),
        ("pitr-agent run --web.con", {"--web.config.file"}),
        ("pitr-agent run --log.format j", {"json"}),
        ("pitr-check --target-n", {"--target-name"}),
        ("pitr-check fi", {"find"}),
        ("pitr-check find --dro", {"--dropped"}),
        ("pitr-check retention --ar", {"--archive"}),
        ("pitr-agent fetch-wal --pre", {"--prefetch", "--prefetch-directory"}),
        ("pitr-watch --on", {"--once"}),
        ("pitr-lab --fault ga", {"gap"}),
    ],
)
def test_bash_completes(typed: str, expected: set[str]) -> None:
    words = typed.split()
    script = f"""
        source <({BIN}/pitr-agent completion bash {words[0]})
        COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}
        $(complete -p {words[0]} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert expected <= set(result.stdout.split()), result.stderr


COMMANDS = (
    *(f"pitr-agent {name}" for name in ("run", "check-config", "rules", "docs", "completion")),
    "pitr-agent drill-unit", "pitr-agent fetch-wal", "pitr-check find", "pitr-check retention",
    *PROGRAMS,
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_says_what_it_does_with_examples_and_statuses(command: str) -> None:
    program, *rest = command.split()
    result = subprocess.run(
        [BIN / program, *rest, "--help"], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert result.returncode == 0
    description = result.stdout.split("\n\n")[1]
    assert description[0].isupper() and not description.startswith("options"), description
    _, _, examples = result.stdout.partition("\nexamples:\n")
    assert any(command in line for line in examples.splitlines())
    assert "exit status" in result.stdout
    assert max(len(line) for line in examples.splitlines()) <= 100
    assert "default: None" not in " ".join(result.stdout.split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_completes_in_every_shell(program: str) -> None:
    for shell in SHELLS:
        script = render_completion(program, shell)
        assert program in script
        found = shutil.which(shell)
        if found is not None and shell != "tcsh":  # it has no -n that reads functions
            checked = subprocess.run([found, "-n"], input=script, text=True, capture_output=True)
            assert (checked.returncode, checked.stderr) == (0, "")


# -- without Prometheus, as docs/running.md says ---------------------------------------------------


def described(archived: Archived, directory: Path) -> list[str]:
    """The scripts of that section, with this machine's paths in the place of the installed ones."""
    config = directory / "pitr.yaml"
    cluster = {
        "name": "lab",
        "archives": [{"url": str(archived.archive)}],
        "backups": {"url": str(archived.backup)},
    }
    config.write_text(yaml.safe_dump({"clusters": [cluster]}))
    page = (ROOT / "docs" / "running.md").read_text()
    section = page.partition("## Without Prometheus")[2].partition("\n## ")[0]
    places = {
        "/opt/pitr-agent/bin": str(BIN), "/etc/pitr-agent/pitr.yaml": str(config),
        "/var/lib/node_exporter": str(directory), "NAME": "lab",
        "/usr/local/bin/pitr-textfile": str(TEXTFILE),
    }  # fmt: skip
    for written, here in places.items():
        assert written in section
        section = section.replace(written, here)
    return section.split("```\n")[1::2]


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


def test_the_plugin_of_nagios_as_described(archived: Archived, tmp_path: Path) -> None:
    plugin, _ = described(archived, tmp_path)
    well = shell(plugin)
    assert (well.returncode, well.stdout[:9]) == (0, "PITR OK -")
    lost = archived.segments[-2]
    lost.unlink()
    bad = shell(plugin)
    assert (bad.returncode, bad.stdout[:15]) == (2, "PITR CRITICAL -")
    message, _, performance = bad.stdout.splitlines()[0].partition(" | ")
    assert lost.name in message
    assert "missing_segments=1;;0;0" in performance.split(" ")
    (tmp_path / "pitr.yaml").unlink()
    assert shell(plugin).returncode not in (0, 1, 2)


def test_the_textfile_of_node_exporter_as_described(archived: Archived, tmp_path: Path) -> None:
    _, script = described(archived, tmp_path)
    shell(script)
    written = tmp_path / "pitr-lab.prom"
    before = written.read_text()
    config = (tmp_path / "pitr.yaml").read_text()
    (tmp_path / "pitr.yaml").write_text("clusters: [")
    shell(script)
    assert written.read_text() == before, "what could not be said replaces nothing"
    failed = tmp_path / "pitr-lab-failed.prom"
    assert 'id="cannot_check",severity="unknown"} 1' in failed.read_text()
    (tmp_path / "pitr.yaml").write_text(config)
    archived.segments[-2].unlink()
    shell(script)
    assert [path.name for path in tmp_path.glob("pitr-lab*")] == ["pitr-lab.prom"]
    name, address = "prometheus-node-exporter", f"127.0.0.1:{free_port()}"
    exporter = Program(tmp_path)
    exporter.launch(
        name, "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={tmp_path}", f"--web.listen-address={address}",
    )  # fmt: skip
    try:
        page = wait_until(lambda: read_page(f"http://{address}/metrics"), "node_exporter answers")
    finally:
        exporter.stop()
    assert "node_textfile_scrape_error 0" in page
    assert 'pitr_finding{cluster="lab",id="wal_gap",severity="critical"} 1' in page


CANNOT_CHECK = 'pitr_finding{cluster="lab",id="cannot_check",severity="unknown"} 1'


def test_a_textfile_s_alert_goes_on_while_nothing_can_be_looked_at(
    archived: Archived, tmp_path: Path
) -> None:
    """Whatever goes wrong: the last verdict stays, with its instant, and cannot_check is said."""
    _, script = described(archived, tmp_path)
    place = archived.segments[-2]
    lost = place.rename(tmp_path / "lost")
    assert shell(script).returncode == 2
    written, failed = tmp_path / "pitr-lab.prom", tmp_path / "pitr-lab-failed.prom"
    before = written.read_text()
    assert 'id="wal_gap"' in before and "pitr_verdict_timestamp_seconds{" in before
    moved = archived.archive.rename(tmp_path / "unmounted")
    tools = tmp_path / "tools"
    tools.mkdir()
    path = f"PATH={BIN}:"
    for program, status in ((None, 3), ("exit 127", 3), ("exit 1", 3), ("kill -9 $$", 3)):
        if program:
            (tools / "pitr-check").write_text(f"#!/bin/bash\n{program}\n")
            (tools / "pitr-check").chmod(0o755)
        ran = shell(script.replace(path, f"PATH={tools}:{BIN}:"))
        assert (ran.returncode, written.read_text()) == (status, before), program
        said = [line for line in failed.read_text().splitlines() if not line.startswith("#")]
        assert [line.removesuffix(".0") for line in said] == [CANNOT_CHECK], program
        failed.unlink()
    moved.rename(archived.archive)
    lost.rename(place)
    failed.write_text(CANNOT_CHECK)
    assert shell(script).returncode == 0
    assert "wal_gap" not in written.read_text() and not failed.exists()
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


@pytest.mark.needs("mount namespaces")
def test_a_textfile_on_a_full_disk_replaces_nothing(archived: Archived, tmp_path: Path) -> None:
    _, script = described(archived, tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = script.replace(f"TEXTFILES={tmp_path}", f"TEXTFILES={disk}")
    old = f"echo old > {disk}/pitr-lab.prom; head -c 1M /dev/zero > {disk}/full 2> /dev/null"
    mount = f"mount -t tmpfs -o size=16k none {disk}; {old}"
    command = f"{mount}\n{script.strip()}\necho $?; ls {disk}; cat {disk}/pitr-lab.prom"
    ran = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True)
    assert ran.stdout.split() == ["3", "full", "pitr-lab.prom", "old"], ran.stderr
    assert "cannot be written" in ran.stderr


def read_page(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())
    except OSError:
        return None
