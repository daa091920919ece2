"""Base backups: whether one can be used, and the commands around it.

`completeness` says whether a backup can become consistent, `carried_wal` judges the WAL inside
it, `configuration` reads its settings. `shell_commands` knows archive_command and
restore_command; `restore_trial` is what a restore_command did when it was tried.
"""
