# ruff: noqa: E501 - one mistake and its complaint a line
"""The configuration: everything that can be typed wrong has its file, line and expectation."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

import pytest

from agent.config.file import ConfigError, load_config
from agent.config.model import ClusterConfig, Config, DefaultsConfig, ResolvedCluster
from rules.model.facts import Objectives

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


def test_a_language_is_that_of_a_country_too(tmp_path: Path) -> None:
    for lang in ("en", "es", "es_MX", "es-AR"):
        assert load(tmp_path, f"{CONTRACT}lang: {lang}\n").lang == lang
    assert load(tmp_path, CONTRACT).lang is None


def test_what_is_resolved_has_every_key_and_every_default() -> None:
    """A key that a cluster may have cannot be lost on its way to those who work with it."""
    of_all = {"evidence"}  # one key for the whole file
    own = {each.name for each in fields(ResolvedCluster)} - of_all
    assert own == set(ClusterConfig.model_fields)
    (cluster,) = Config(clusters=(ClusterConfig(name="a", dsn="host=x"),)).resolved()
    defaults = DefaultsConfig()
    none_by_default = ("drill", "io_limit", "scan_on")
    given = [name for name in DefaultsConfig.model_fields if name not in none_by_default]
    assert all(getattr(cluster, name) == getattr(defaults, name) for name in given)
    hints = get_type_hints(ResolvedCluster)
    assert not [name for name in given if NoneType in get_args(hints[name])]


def test_a_cluster_overrides_the_defaults(tmp_path: Path) -> None:
    text = "clusters: [{name: a, dsn: host=x, poll: 1s}, {name: b, dsn: host=y}]\ndefaults: {poll: 2m}\n"
    assert [cluster.poll for cluster in load(tmp_path, text).resolved()] == [1, 120]


def test_a_cluster_is_drilled_by_its_own_keys_and_the_defaults(tmp_path: Path) -> None:
    text = """\
clusters:
  - &a {name: a, archives: [{url: /w}], backups: {url: /b}}
  - {<<: *a, name: b, drill: {at: latest, probes: [{sql: SELECT true, expected: true}]}}
  - {<<: *a, name: c, drill: {schedule: never}}
  - {name: d, dsn: host=x}
defaults: {drill: {schedule: 0 3 * * 0, directory: /scratch, timeout: 1h}}
"""
    a, b, c, d = (cluster.drill for cluster in load(tmp_path, text).resolved())
    assert a is not None and b is not None and c is None and d is None
    assert (a.at, b.at, str(b.directory), b.timeout) == ("random", "latest", "/scratch", 3600)
    assert b.probes[0].facts().expected == "t"
    assert a.trigger is not None and a == load(tmp_path, text).resolved()[0].drill


CLASSES = """\
classes:
  gold: {window: 7d, backup_age: 1d, rpo: 1m, copies: 2}
  bronze: {window: 1d}
clusters:
  - {name: a, dsn: host=x, class: gold, labels: {team: payments}, objectives: {window: 3d}}
  - {name: b, dsn: host=x, class: bronze}
  - {name: c, dsn: host=x, objectives: {rto: 1h}}
"""


def test_a_cluster_has_the_goals_of_its_class_but_for_its_own(tmp_path: Path) -> None:
    a, b, c = load(tmp_path, CLASSES).resolved()
    day = 86400.0
    assert a.objectives.facts() == Objectives(
        rpo_seconds=60, window_seconds=3 * day, backup_age_seconds=day, copies=2
    )
    assert b.objectives.facts() == Objectives(rpo_seconds=300, window_seconds=day)
    assert c.objectives.facts() == Objectives(rpo_seconds=300, rto_seconds=3600)
    assert [each.protection_class for each in (a, b, c)] == ["gold", "bronze", None]
    assert [dict(each.labels) for each in (a, b, c)] == [{"team": "payments"}, {}, {}]


def test_a_cluster_of_an_included_file_has_a_class_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("clusters:\n- {name: d, dsn: host=x, class: gold}\n")
    included = f"include: more.yaml\n{CLASSES}"
    assert load(tmp_path, included).resolved()[3].objectives.copies == 2
    with pytest.raises(ConfigError, match=r"more\.yaml:2: there is no class 'gold'"):
        load(tmp_path, "include: more.yaml\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusters:\n  - name: a\n    dns: x\n", "F:3: unknown key 'clusters.0.dns': did you mean dsn? expected one of name, dsn,"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    poll: 5x\n", "F:4: clusters.0.poll: '5x' is not a duration: write 15s"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    poll: -5s\n", "F:4: clusters.0.poll: '-5s' is not a duration"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    poll: 0s\n", "F:4: clusters.0.poll: Input should be greater than 0"),
        ("clusters:\n  - {name: a, dsn: host=x}\n  - {name: b, dsn: host=y}\n  - {name: a, dsn: host=z}\n", "F:4: cluster name 'a' is taken already on line 2"),
        ("clusters:\n  - {name: a, dsn: host=x}\nlang: tlh\n", "F:3: lang: 'tlh' is not spoken: choose one of en, es"),
        ("clusters:\n  - {name: a, dsn: host=x}\nlang: [es]\n", "F:3: lang: expected text: put it in quotes"),
        ("clusters:\n  - name: a\n", "F:2: clusters.0: a cluster needs at least one of dsn"),
        ('clusters:\n  - name: "a\\eb"\n    dsn: host=x\n', "F:2: clusters.0.name: 'a\\x1bb' has characters that cannot be shown"),
        ("clusters:\n  - dsn: host=x\n", "F:2: 'name' is missing"),
        ("clusters:\n  - name: a\n    archives:\n      - url: ftp://host/wal\n", "F:4: clusters.0.archives.0.url: ftp:// is not read: name a path"),
        ("clusters:\n  - name: a\n    archives:\n      - url: s3://u:p@bucket/wal\n", "F:4: clusters.0.archives.0.url: s3://: an address holds no account"),
        ("clusters:\n  - name: a\n    archives:\n      - url: /wal\n        region: x\n", "F:4: clusters.0.archives.0: region is for s3://bucket/prefix and the like"),
        ("clusters:\n  - name: a\n    archives:\n      - url: gs://b/wal\n        endpoint: https://h\n", "F:4: clusters.0.archives.0: gs://b/wal: endpoint is for s3:// and az://"),
        ("clusters:\n  - name: a\n    archives:\n      - url: s3://b/wal\n        endpoint: https://h\n  - name: b\n    archives:\n      - url: s3://b/wal/\n", "F:8: s3://b/wal has another endpoint, region or credentials elsewhere"),
        ("clusters:\n  - name: a\n    archives: [{url: wal}]\n", "F:3: clusters.0.archives.0.url: 'wal' is not an absolute path"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    dsn: host=y\n", "F:4: key 'dsn' is there twice"),
        ("clusters: [\n", "F:2: not YAML: "),
        ("", "F:1: 'clusters' is missing"),
        ("clusters: []\n", "F:1: clusters: at least one cluster is needed"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    acknowledged_gaps: [{timeline: 1, first: abc, last: abc, why: x}]\n", "F:4: clusters.0.acknowledged_gaps.0.first: 'abc' is not a WAL segment name"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    acknowledged_gaps: [{timeline: 1, first: '000000010000000000000044', last: '000000010000000000000042', why: x}]\n", "F:4: clusters.0.acknowledged_gaps.0: the first, 000000010000000000000044, comes after the last"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    acknowledged_gaps: [{timeline: 2, first: '000000010000000000000042', last: '000000010000000000000044', why: x}]\n", "F:4: clusters.0.acknowledged_gaps.0: 000000010000000000000042 is not of timeline 2"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    poll: 99999999999d\n", "F:4: clusters.0.poll: '99999999999d' is longer than a century"),
        ("clusters:\n  - name: ' '\n    dsn: host=x\n", "F:2: clusters.0.name: a name of spaces"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      schedul: x\n", "F:6: unknown key 'clusters.0.drill.schedul': did you mean schedule? expected one of schedule, timezone, at,"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      schedule: 0 3 * *\n", "F:5: clusters.0.drill: '0 3 * *' is not a crontab expression: write 5 fields"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      schedule: 0 3 * * 8\n", "F:5: clusters.0.drill: '0 3 * * 8' is not a crontab expression: '8' is no weekday"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      at: newest\n", "F:6: clusters.0.drill.at: Input should be 'random' or 'latest'"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      directory: scratch\n", "F:6: clusters.0.drill.directory: 'scratch' is not an absolute path"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      timezone: Mars\n", "F:6: clusters.0.drill.timezone: 'Mars' is not a time zone: write it as"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      probes:\n      - {sql: SELECT 1}\n", "F:7: 'expected' is missing"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      probes:\n      - {sql: SELECT 1, expected: 1, db: x}\n", "F:7: unknown key 'clusters.0.drill.probes.0.db': expected one of database, sql, expected"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      timeout: 5x\n", "F:6: clusters.0.drill.timeout: '5x' is not a duration"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    backups: {url: /b}\n    drill:\n      history: 1\n", "F:6: clusters.0.drill.history: Input should be greater than or equal to 10"),
        ("clusters:\n  - name: a\n    archives: [{url: /w}]\n    drill: {schedule: 0 3 * * 0}\n", "F:2: clusters.0: a drill needs archives and backups"),
        ("clusters: [{name: a, dsn: host=x}]\ndefaults:\n  drill: {at: 5}\n", "F:3: defaults.drill.at: "),
        ("clusters:\n  - name: a\n    repositories: [{stanza: x}]\n", "F:3: clusters.0.repositories.0: a repository has one of url, pgbackrest"),
        ("clusters:\n  - name: a\n    repositories: [{url: /r, walg: true}]\n", "F:3: clusters.0.repositories.0: a repository has one of url, pgbackrest"),
        ("clusters:\n  - name: a\n    repositories:\n      - url: repo\n", "F:4: clusters.0.repositories.0.url: 'repo' is not an absolute path"),
        ("clusters:\n  - name: a\n    repositories:\n      - barman: true\n        stanza: x\n", "F:4: clusters.0.repositories.0: stanza is pgBackRest's word"),
        ("clusters:\n  - name: a\n    repositories:\n      - pgbackrest: true\n        server: x\n", "F:4: clusters.0.repositories.0: server is Barman's word"),
        ("clusters:\n  - name: a\n    repositories:\n      - pgbackrest: true\n        passphrase_file: /x\n", "F:4: clusters.0.repositories.0: passphrase_file is for a url"),
        ("clusters:\n  - name: a\n    repositories: [{url: /r}, {pgbackrest: /c}]\n", "F:2: clusters.0: a tool's configuration names all repositories"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    repositories: [{url: /r, stanza: '*'}]\n", "F:2: clusters.0: '*' stands for many clusters, and dsn is of one"),
        ("clusters:\n  - name: a\n    repositories: [{url: /r, stanz: x}]\n", "F:3: unknown key 'clusters.0.repositories.0.stanz': did you mean stanza? expected one of url,"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    log_timezone: Mars\n", "F:4: clusters.0.log_timezone: 'Mars' is not a time zone: write it as log_timezone has it"),
        ("classes: {gold: {window: 7d}}\nclusters:\n  - name: a\n    dsn: host=x\n    class: gol\n", "F:5: there is no class 'gol': did you mean gold? the classes are gold"),
        ("clusters:\n  - {name: a, dsn: host=x, class: gold}\n", "F:2: there is no class 'gold': the classes are none: `classes` is not there"),
        ("clusters:\n  - name: a\n    dsn: host=x\n    clas: gold\n", "F:4: unknown key 'clusters.0.clas': did you mean class? expected one of name, dsn,"),
        ("classes:\n  gold:\n    windw: 7d\nclusters: [{name: a, dsn: host=x}]\n", "F:3: unknown key 'classes.gold.windw': did you mean window? expected one of rpo, rto,"),
        ("classes:\n  gold: {copies: 0}\nclusters: [{name: a, dsn: host=x}]\n", "F:2: classes.gold.copies: Input should be greater than or equal to 1"),
        ("classes:\n  gold: {window: 7}\nclusters: [{name: a, dsn: host=x}]\n", "F:2: classes.gold.window: '7' has no unit: write 7s"),
        ("clases: {}\nclusters: [{name: a, dsn: host=x}]\n", "F:1: unknown key 'clases': did you mean classes? expected one of clusters, classes,"),
        ("classes: {' ': {}}\nclusters: [{name: a, dsn: host=x}]\n", "F:1: classes: ' ' is no name for a class"),
        ("clusters:\n  - {name: a, dsn: host=x, labels: {team-a: x}}\n", "F:2: clusters.0.labels: 'team-a' is not a label's name"),
        ("clusters:\n  - {name: a, dsn: host=x, labels: {cluster: x}}\n", "F:2: clusters.0.labels: 'cluster' is a label that pitr_cluster_info has by itself"),
        ("clusters:\n  - {name: a, dsn: host=x, labels: {tier: 1}}\n", "F:2: clusters.0.labels.tier: expected text: put it in quotes"),
        ("[]\n", "F:1: the file: expected keys with their values"),
        ("clusters: 5\n", "F:1: clusters: expected a list"),
        ("clusters:\n  - name: 5\n    dsn: host=x\n", "F:2: clusters.0.name: expected text: put it in quotes"),
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


@pytest.mark.parametrize(
    "dsn",
    [
        "host=db password=half secret",
        "postgresql://agent:half/secret@db/postgres",
        "postgresql://agent:half@secret@db/postgres",
        "secret",
        "host=db port=secret",
        "postgresql://db/postgres?secret=1",
    ],
)
def test_a_dsn_that_libpq_cannot_read_is_refused_and_never_shown(tmp_path: Path, dsn: str) -> None:
    told = complaint(tmp_path, f"clusters:\n  - name: a\n    dsn: {dsn!r}\n")
    assert told.startswith("F:3: clusters.0.dsn: ")
    assert "secret" not in told
    assert "half" not in told


@pytest.mark.parametrize(
    "dsn",
    [
        "service=lab", "", "host=/run/pg,@abstract port=5432,5433", "postgresql://a:1,b:2/x",
        "postgresql://agent:p%40ss@db/postgres?sslmode=require",
    ],
)  # fmt: skip
def test_whatever_libpq_reads_is_a_dsn(tmp_path: Path, dsn: str) -> None:
    load(tmp_path, f"clusters:\n  - {{name: a, log: /x, dsn: {dsn!r}}}\n")
