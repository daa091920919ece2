"""The Grafana dashboards, built of the types of Grafana's own SDK.

`fleet`, `cluster` and `restore` are one dashboard each; `panels` makes panels of the house's kind,
`queries` holds the PromQL that more than one of them asks, `meanings` what values are called.
"""
