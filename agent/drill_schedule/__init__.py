"""Drills on a schedule, in the agent: `pitr-check --drill` as a child, one at a time.

`queue` decides whose turn it is, `process` runs one, `document` reads what it says, `history` is
what is remembered of them.
"""
