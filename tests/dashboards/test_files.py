"""The dashboards' files: what the builder says, what Grafana's types hold, and where links lead."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.builder.__main__ import render
from rules.alerting.panels import _BY_CHECK, Panel
from rules.verdict.check import load_catalogue
from tests import grafana

ROOT = Path(__file__).parents[2]
DOCUMENTS = grafana.load()
PANELS = [(uid, panel) for uid, document in DOCUMENTS.items() for panel in grafana.panels(document)]
NAMES = [f"{uid}-{panel['title']}" for uid, panel in PANELS]
every_panel = pytest.mark.parametrize(("uid", "panel"), PANELS, ids=NAMES)
every_dashboard = pytest.mark.parametrize("uid", DOCUMENTS)


def test_the_files_are_what_the_builder_says() -> None:
    found = {path.name: path.read_text() for path in grafana.DASHBOARDS.iterdir()}
    assert found == render(), "stale: type  make dashboards"


@every_dashboard
def test_grafana_s_types_lose_nothing_of_a_dashboard(uid: str) -> None:
    plugins.register_default_plugins()
    read = Dashboard.from_json(DOCUMENTS[uid])
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == DOCUMENTS[uid]


def test_numbers_and_uids_are_those_that_links_were_sent_with() -> None:
    found = [(uid, panel["id"]) for uid, panel in PANELS]
    assert sorted(found) == sorted(panel.value for panel in Panel)
    for document in DOCUMENTS.values():
        numbers = [panel["id"] for panel in document["panels"]]
        assert len(numbers) == len(set(numbers))


@every_dashboard
def test_panels_do_not_lie_on_each_other(uid: str) -> None:
    places = [panel["gridPos"] for panel in DOCUMENTS[uid]["panels"]]
    assert all(0 <= place["x"] <= 24 - place["w"] for place in places)
    for one, other in itertools.combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        ), (one, other)  # fmt: skip


@every_panel
def test_a_panel_says_what_it_means_and_what_to_do(uid: str, panel: dict[str, Any]) -> None:
    means, separator, do = panel["description"].partition("\n\n**What to do:** ")
    assert separator and len(means.split()) >= 5 and len(do.split()) >= 3
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@every_panel
def test_nothing_never_reads_as_good(uid: str, panel: dict[str, Any]) -> None:
    """No value has a word where Grafana can show one, and never the colour of what is good."""
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] in ("stat", "table", "state-timeline"):
        assert defaults["noValue"]
    if panel["type"] == "stat":
        assert defaults["thresholds"]["steps"][0] == {"value": None, "color": "purple"}
        (nothing,) = (m for m in defaults["mappings"] if m["type"] == "special")
        assert nothing["options"]["match"] == "null+nan"
        assert nothing["options"]["result"]["color"] == "purple"
        assert all(target["instant"] for target in panel["targets"]), "an old value is not known"
    if panel["type"] == "timeseries":
        assert defaults["custom"]["spanNulls"] is False


@every_panel
def test_what_is_overridden_is_there(uid: str, panel: dict[str, Any]) -> None:
    names = {target.get("legendFormat", "") for target in panel["targets"]}
    for step in panel.get("transformations", ()):
        names |= set(step["options"].get("renameByName", {}).values())
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["options"] in names


@every_panel
def test_variables_that_are_used_are_there(uid: str, panel: dict[str, Any]) -> None:
    mine = {variable["name"] for variable in DOCUMENTS[uid]["templating"]["list"]}
    ours = {"__range", "__rate_interval", "__value", "__url_time_range"}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panel)))
    assert used <= mine | ours


@every_panel
def test_links_lead_to_dashboards_and_runbooks_that_are_there(
    uid: str, panel: dict[str, Any]
) -> None:
    for override in panel["fieldConfig"]["overrides"]:
        properties = {entry["id"]: entry.get("value") for entry in override["properties"]}
        for link in properties.get("links") or ():
            if link["url"].startswith("/d/"):
                assert urlsplit(link["url"]).path.removeprefix("/d/") in DOCUMENTS
            elif mapped := properties.get("mappings"):
                for result in mapped[0]["options"].values():
                    assert (ROOT / "docs" / "runbooks" / f"{result['text']}.md").is_file()


def test_every_alert_leads_to_a_panel_that_is_there() -> None:
    groups = yaml.safe_load((ROOT / "dashboards/prometheus/pitr-alerts.yml").read_text())["groups"]
    there = {(uid, str(panel["id"])) for uid, panel in PANELS}
    for rule in (rule for group in groups for rule in group["rules"]):
        address = urlsplit(rule["annotations"]["dashboard_url"])
        (number,) = parse_qs(address.query)["viewPanel"]
        assert (address.path.removeprefix("/d/"), number) in there, rule["alert"]


def test_only_checks_that_are_there_have_a_panel_of_their_own() -> None:
    assert set(_BY_CHECK) <= set(load_catalogue())


def test_provisioning_names_the_folder_and_the_variable() -> None:
    provisioning = ROOT / "dashboards" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((provisioning / "dashboards/pitr.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/pitr"
    for document in DOCUMENTS.values():
        kinds = {v["name"]: v["type"] for v in document["templating"]["list"]}
        assert kinds == {"datasource": "datasource", "cluster": "query", "runbooks": "textbox"}
