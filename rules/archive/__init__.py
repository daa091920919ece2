"""What an archive holds, and what is wrong with it.

`listing` judges names: gaps, and what was reported but never arrived. `copies` chooses among
files of one segment. `damage` joins the scans. `wal_events`, `restore_points` and `dated_wal`
tell what the WAL says of its servers, its restore points and its times.
"""
