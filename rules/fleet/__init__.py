"""Clusters against the goals of their owners: `forecasts` (when a goal will be broken), `cuts`
(what retention has taken of the window), `line` (one cluster in a line).
"""
