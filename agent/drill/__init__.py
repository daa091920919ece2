"""The restore drill: a backup restored for real, in a scratch area, beside what was predicted.

`drill` is the whole of it; `area` the scratch directory and the remains of a killed drill, `copy`
the backup's files, `settings` what the scratch server starts with, `wal_service` its WAL, `server`
its life, `inspection` and `probes` the look inside. Whether the server did what was predicted is
judged in `rules.drill.comparison`.
"""
