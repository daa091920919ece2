"""What the agent knows of each cluster.

- `watched` is one cluster: its jobs, its case, what the checks say of it (`verdicts`).
- Read: `readers` have a source each (`collectors`, `file_scan`, `recovery_log`); `reading` is one
  answer, `sources` what cannot be read, `expected` what should be there, `explain` a failure in
  words.
- Worked out over time: `over_time`, `restore_watch`, `known_backups`.
- `jobs` and their `rounds`, `clock` and `late`: whether time itself can be trusted; `restored`:
  alerts from before a restart.
- Told: `exporter` and `drill_metrics`.
"""
