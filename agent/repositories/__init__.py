"""Repositories of other backup tools, read as they lie there and never written.

- `recognise` tells by what is there whose repository it is, from its root, a stanza or the parent.
- `pgbackrest` with `pgbackrest_files`, `barman` (barman-cloud too) and `walg` read one tool each:
  the WAL by the names that PostgreSQL knows, and the backups with their parents and files.
- `repository` is what they all give; `backup` puts a backup's small files together.
- `files` lists folders and reads files and ranges, on this machine or in an object store.
- `configured` reads the tools' own configuration: where their repositories are, and their keys.
- `secrets` finds the passphrases in the tools' own variables.

What a repository holds is judged as an archive and backups of the plain kind are.
"""
