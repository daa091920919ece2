"""What the agent signs, of a real archive that it watches."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config.file import ConfigError, load_config
from agent.config.model import ResolvedCluster
from agent.daemon.evidence_keeper import EvidenceKeeper
from agent.drill_schedule.process import command_line
from agent.monitor.watched import WatchedCluster
from rules.drill.records import DrillsFacts
from rules.verdict.check import load_catalogue
from tests.signing import Signed, new_signed, statements
from tests.unpack import unpack_tar

SAMPLE = Path(__file__).parents[2] / "data" / "archives" / "good_15.tar.xz"


def configured(tmp_path: Path, **evidence: Any) -> ResolvedCluster:
    file = tmp_path / "pitr.yaml"
    cluster = {
        "name": "lab",
        "archives": [{"url": str(tmp_path / "archive")}],
        "backups": {"url": str(tmp_path / "backup")},
        "objectives": {"window": "1d", "rpo": "5m"},
        "drill": {"schedule": "0 3 * * 0"},
    }
    given = {"directory": str(tmp_path / "evidence"), "key": str(tmp_path / "key"), **evidence}
    file.write_text(yaml.safe_dump({"clusters": [cluster], "evidence": given}))
    return load_config(file).resolved()[0]


class Now:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_it_signs_what_it_found_once_and_when_it_changes(tmp_path: Path) -> None:
    unpack_tar(SAMPLE, tmp_path)
    signed: Signed = new_signed(tmp_path)
    now = Now()

    async def story() -> None:
        cluster = WatchedCluster(configured(tmp_path, every="1h"), load_catalogue())
        keeper = EvidenceKeeper([cluster], clock=now)
        try:
            await told(keeper)
            assert not signed.directory.exists()  # nothing was read yet
            await cluster.scan()
            await told(keeper)
            await told(keeper)
            assert len(signed.lines) == 1
            now.seconds += 3601
            await told(keeper)
            assert len(signed.lines) == 2
            gone = sorted((tmp_path / "archive").glob("0" * 7 + "1" + "0" * 8 + "*"))[-3]
            gone.unlink()
            await cluster.scan()
            await told(keeper)
            assert len(signed.lines) == 2  # at most one a minute
            now.seconds += 61
            await told(keeper)
            assert len(signed.lines) == 3
            (tmp_path / "key").chmod(0o644)
            keeper._writers.clear()
            now.seconds += 3601
            await told(keeper)
            assert "chmod 600" in cluster.findings["evidence_not_written"][0].summary
            (tmp_path / "key").chmod(0o600)
            now.seconds += 3601
            await told(keeper)
            assert cluster.findings["evidence_not_written"] == ()
        finally:
            cluster.close()

    async def told(keeper: EvidenceKeeper) -> None:
        task = asyncio.ensure_future(keeper.run())
        await asyncio.sleep(0)
        for _ in range(6000):
            if not keeper._worker.hangs:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(story())
    first, _, third, _ = (statement["predicate"] for statement in statements(signed))
    assert first["by"]["program"] == "pitr-agent"
    assert first["cluster"] == "lab"
    assert len(first["wal"]["read"]) > 5
    assert first["configuration"]["drill"]["schedule"] == "0 3 * * 0"
    assert {each["objective"]: each["met"] for each in first["objectives"]}["rpo"] is None
    assert len(third["wal"]["gone"]) == 1
    assert "wal_gap" in {finding["id"] for finding in third["verdict"]["findings"]}
    assert signed.judge().problems == ()


def test_a_drill_signs_by_itself_unless_the_key_is_of_no_use(tmp_path: Path) -> None:
    new_signed(tmp_path)
    config = configured(tmp_path, limit="64MB")
    assert config.drill is not None
    words = command_line(config, config.drill, DrillsFacts(), None)
    at = words.index("--evidence")
    assert words[at : at + 8] == [
        "--evidence", str(tmp_path / "evidence"), "--evidence-key", str(tmp_path / "key"),
        "--evidence-limit", "64000000B", "--evidence-name", "lab",
    ]  # fmt: skip
    (tmp_path / "key").unlink()
    assert "--evidence" not in command_line(config, config.drill, DrillsFacts(), None)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("directory", "evidence", "is not an absolute path"),
        ("limit", "much", "is not a size"),
        ("every", "often", "is not a duration"),
        ("keys", "k", "unknown key"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, key: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        configured(tmp_path, **{key: value})
