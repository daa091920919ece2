"""The alerting rules: made from the catalogue, checked and tested by promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from agent.cli import agent
from rules.alerting.prometheus_rules import AGENT_ALERTS
from rules.alerting.state import alert_name, can_alert
from rules.verdict.check import load_catalogue
from tests.fix_tools import need_program

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus" / "pitr-alerts.yml"


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = need_program("promtool")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def test_the_file_is_what_the_catalogue_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert agent.main(["rules"]) == 0
    assert capsys.readouterr().out == RULES.read_text(), "type  make rules"


def test_promtool_accepts_the_rules() -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_after_its_patience_and_not_before(tmp_path: Path) -> None:
    """promtool's own clock: a series of pitr_finding a check, and what Prometheus makes of it."""
    checks = [check for check in load_catalogue().values() if can_alert(check)]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(_unit_tests(checks)))
    tested = promtool("test", "rules", tmp_path / "tests.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _unit_tests(checks: list) -> dict[str, object]:
    series, expectations = [], []
    for check in checks:
        labels = f'cluster="a & b", id="{check.id}", severity="{check.severity.value}"'
        # 30 minutes found, then gone.
        series.append({"series": f"pitr_finding{{{labels}}}", "values": "1x120 0x40"})
        alert = {
            "exp_labels": {"cluster": "a & b", "id": check.id, "severity": check.severity.value},
            "exp_annotations": _annotations(alert_name(check.id)),
        }
        for at_seconds, fires in ((check.hold_seconds, True), (31 * 60, False)):
            expectations.append(_expect(check, at_seconds, [alert] if fires else []))
        if check.hold_seconds:
            expectations.append(_expect(check, check.hold_seconds - 15, []))
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "alert_rule_test": expectations}],
    }


def _expect(check: object, at_seconds: float, alerts: list[object]) -> dict[str, object]:
    name = alert_name(check.id)  # type: ignore[attr-defined]
    return {"eval_time": f"{at_seconds:g}s", "alertname": name, "exp_alerts": alerts}


def _annotations(name: str) -> dict[str, str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    annotations: dict[str, str] = rules[name]["annotations"]
    # What Prometheus makes of the cluster's name: a browser reads it back out of the URL.
    chosen = annotations["dashboard_url"].replace("{{ $labels.cluster | urlquery }}", "a+%26+b")
    return {**annotations, "dashboard_url": chosen}


def test_rules_for_textfiles_know_of_no_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """promtool: a run that could look at nothing, and a verdict that is older than 26 hours."""
    assert agent.main(["rules", "--for", "textfile"]) == 0
    rules = tmp_path / "rules.yml"
    rules.write_text(capsys.readouterr().out)
    checked = promtool("check", "rules", rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    names = {rule["alert"] for group in _groups(rules) for rule in group["rules"]}
    checks = {alert_name(check.id) for check in load_catalogue().values() if can_alert(check)}
    assert names == {*checks, "PitrVerdictStale", "PitrCannotCheck"}
    labels = 'cluster="a", id="cannot_check", severity="unknown"'
    series = [
        {"series": f"pitr_finding{{{labels}}}", "values": "_x60 1x3000"},
        {"series": 'pitr_verdict_timestamp_seconds{cluster="a"}', "values": "0x3000"},
    ]
    cases = [
        ("PitrCannotCheck", 59, False), ("PitrCannotCheck", 61, True),
        ("PitrVerdictStale", 26 * 60, False), ("PitrVerdictStale", 26 * 60 + 2, True),
    ]  # fmt: skip
    wanted = {"PitrCannotCheck": {"cluster": "a", "id": "cannot_check", "severity": "unknown"},
              "PitrVerdictStale": {"cluster": "a", "severity": "critical"}}  # fmt: skip
    groups = _groups(rules)
    for rule in (rule for group in groups for rule in group["rules"]):
        rule.pop("annotations")
    rules.write_text(yaml.safe_dump({"groups": groups}))
    expectations = [
        {"eval_time": f"{minute}m", "alertname": name,
         "exp_alerts": [{"exp_labels": wanted[name]}] if fires else []}
        for name, minute, fires in cases
    ]  # fmt: skip
    test = {"interval": "1m", "input_series": series, "alert_rule_test": expectations}
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]})
    )
    tested = promtool("test", "rules", tmp_path / "tests.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert agent.main(["rules", "--stale-after", "2h"]) == 64


def _groups(rules: Path) -> list[dict[str, list[dict[str, str]]]]:
    groups: list[dict[str, list[dict[str, str]]]] = yaml.safe_load(rules.read_text())["groups"]
    return groups


# What the agent says when it is well, and what it says, or not, when the alert is due.
OF_THE_AGENT = {
    "PitrAgentAbsent": ("pitr_build_info", {}, None),
    "PitrVerdictStale": (
        'pitr_verdict_deadline_timestamp_seconds{cluster="a & b"}', {"cluster": "a & b"}, "0x240",
    ),
    "PitrCheckBlind": (
        'pitr_check_known{cluster="a & b", id="i"}', {"cluster": "a & b", "id": "i"}, "0x240",
    ),
    "PitrNotificationsWaiting": (
        'pitr_notifications_waiting{receiver="r"}', {"receiver": "r"}, "1x240",
    ),
    "PitrConfigNotReloaded": ("pitr_config_last_reload_successful", {}, "0x240"),
}  # fmt: skip
WELL = {"PitrNotificationsWaiting": "0x240", "PitrVerdictStale": "0+15x240"}


def test_what_only_prometheus_can_notice_of_the_agent(tmp_path: Path) -> None:
    assert OF_THE_AGENT.keys() == {alert.name for alert in AGENT_ALERTS}
    tests = []
    for alert in AGENT_ALERTS:
        series, labels, bad = OF_THE_AGENT[alert.name]
        fired = {"exp_annotations": _annotations(alert.name)}
        fired["exp_labels"] = {**labels, "severity": alert.severity}
        due_seconds = alert.hold_seconds + (15 if alert.name == "PitrVerdictStale" else 0)
        well = WELL.get(alert.name, "1x240")
        for values, alerts in ((bad, [fired]), (well, [])):
            seen = [{"series": series, "values": values}] if values else []
            tests.append(
                {
                    "interval": "15s",
                    "input_series": seen,
                    "alert_rule_test": [
                        {
                            "eval_time": f"{due_seconds:g}s",
                            "alertname": alert.name,
                            "exp_alerts": alerts,
                        }
                    ],
                }
            )
    document = {"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(document))
    tested = promtool("test", "rules", tmp_path / "tests.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
