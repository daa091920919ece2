"""Restores by the tools that made the backups: which backup, which WAL, and when they refuse.

- `ways` answers for the tool's own restore and for a restore_command, and tells where they differ.
- `tool_view` is what both are given; `pgbackrest`, `barman` and `walg` are the tools' own rules.
- `command` is the command to paste.
"""
