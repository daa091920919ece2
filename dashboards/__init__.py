"""What a user copies or mounts: Grafana dashboards, Prometheus rules, provisioning.

`builder/` writes `grafana/*.json` (`make dashboards`); nothing that runs imports it.
"""
