# ruff: noqa: E501 - one mistake and its complaint a line
"""The configuration: everything that can be typed wrong has its file, line and expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config_file import ConfigError, load_config

CONTRACT = """\
clusters:
  - name: laboratorio
    dsn: service=laboratorio            # libpq rules, so pgpass and service files work; optional
    archives: [{url: /sysx/data16/DATANEW/backup_wal}]
    backups: {url: /sysx/data16/DATANEW/backup_base}
    log: /sysx/data16/DATANEW/PITR/log/
    objectives: {rpo: 5m, rto: 1h, window: 7d}
    acknowledged_gaps: [{timeline: 1, first: "000000010000000000000042",
                         last: "000000010000000000000044", why: "disk lost 2025-06-01"}]
defaults: {poll: 15s, scan: 5m, depth: records, timeout: 10s}
ledger: /var/lib/pitr-agent/ledger.sqlite
"""


def load(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "pitr.yaml"
    path.write_text(text)
    return load_config(path)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "pitr.yaml"), "F")


def test_the_contracts_example_is_valid(tmp_path: Path) -> None:
    config = load(tmp_path, CONTRACT)
    (cluster,) = config.resolved()
    assert (cluster.poll, cluster.scan, cluster.timeout, cluster.depth) == (15, 300, 10, "records")
    objectives = cluster.objectives.facts()
    assert (objectives.rpo_seconds, objectives.rto_seconds) == (300, 3600)
    assert objectives.window_seconds == 604800
    assert cluster.acknowledged_gaps[0].facts().why == "disk lost 2025-06-01"


def test_a_cluster_overrides_the_defaults(tmp_path: Path) -> None:
    text = "clusters: [{name: a, dsn: x, poll: 1s}, {name: b, dsn: y}]\ndefaults: {poll: 2m}\n"
    assert [cluster.poll for cluster in load(tmp_path, text).resolved()] == [1, 120]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusters:\n  - name: a\n    dns: x\n", "F:3: unknown key 'clusters.0.dns': expected one of name, dsn,"),
        ("clusters:\n  - name: a\n    dsn: x\n    poll: 5x\n", "F:4: clusters.0.poll: '5x' is not a duration: write 15s"),
        ("clusters:\n  - name: a\n    dsn: x\n    poll: -5s\n", "F:4: clusters.0.poll: '-5s' is not a duration"),
        ("clusters:\n  - name: a\n    dsn: x\n    poll: 0s\n", "F:4: clusters.0.poll: Input should be greater than 0"),
        ("clusters:\n  - {name: a, dsn: x}\n  - {name: b, dsn: y}\n  - {name: a, dsn: z}\n", "F:4: cluster name 'a' is taken already on line 2"),
        ("clusters:\n  - name: a\n", "F:2: clusters.0: a cluster needs at least one of dsn"),
        ('clusters:\n  - name: "a\\eb"\n    dsn: x\n', "F:2: clusters.0.name: 'a\\x1bb' has characters that cannot be shown"),
        ("clusters:\n  - dsn: x\n", "F:2: 'name' is missing"),
        ("clusters:\n  - name: a\n    archives:\n      - url: s3://bucket/wal\n", "F:4: clusters.0.archives.0.url: 's3://bucket/wal': only directories"),
        ("clusters:\n  - name: a\n    archives: [{url: wal}]\n", "F:3: clusters.0.archives.0.url: 'wal' is not an absolute path"),
        ("clusters:\n  - name: a\n    dsn: x\n    dsn: y\n", "F:4: key 'dsn' is there twice"),
        ("clusters: [\n", "F:2: not YAML: "),
        ("", "F:1: 'clusters' is missing"),
        ("clusters: []\n", "F:1: clusters: at least one cluster is needed"),
        ("clusters:\n  - name: a\n    dsn: x\n    acknowledged_gaps: [{timeline: 1, first: abc, last: abc, why: x}]\n", "F:4: clusters.0.acknowledged_gaps.0.first: 'abc' is not a WAL segment name"),
    ],
)  # fmt: skip
def test_every_mistake_has_its_line_and_what_was_expected(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in complaint(tmp_path, text)


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    lines = complaint(tmp_path, "clusters:\n  - name: a\n    dns: x\n    poll: 5x\n").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["F:3:", "F:4:"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "absent.yaml")
