"""Findings on their way to people: `state` (alerts over time), `notifications` (what is told, and
when), `prometheus_rules` (the same alerts as rules), `runbooks` and `findings_page` (their
pages), `links` and `panels` (where an alert leads).
"""
