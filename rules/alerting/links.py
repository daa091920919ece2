"""Where an alert leads: its runbook, and the panel that shows what it is about."""

from __future__ import annotations

from parsers.values import dataclass
from rules.alerting.panels import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLinks:
    """What the addresses in an alert's annotations begin with."""

    runbooks_url: str
    grafana_url: str = ""  # empty: the path alone, which is right inside Grafana

    def annotations(self, name: str, panel: Panel, cluster: str | None) -> dict[str, str]:
        """The links of the alert of this name; `cluster` as it stands in a URL, None for none.

        >>> links = AlertLinks(runbooks_url="docs/runbooks", grafana_url="https://grafana")
        >>> links.annotations("PitrWalGap", Panel.MISSING, "sales")["dashboard_url"]
        'https://grafana/d/pitr-cluster?var-cluster=sales&viewPanel=19'
        """
        chosen = f"var-cluster={cluster}&" if cluster is not None else ""
        panel_path = f"/d/{panel.dashboard}?{chosen}viewPanel={panel.number}"
        return {
            "runbook_url": f"{self.runbooks_url}/{name}.md",
            "dashboard_url": f"{self.grafana_url}{panel_path}",
        }
