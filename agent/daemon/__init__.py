"""The agent as a process: `service` is the whole, `clusters` those of the configuration,
`scheduler` their jobs, `systemd` who supervises it, `own_metrics` what it says of itself.
"""
