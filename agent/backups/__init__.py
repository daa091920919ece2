"""Base backups on disk: where they are, and what each says of itself.

`find` looks for them, `plain` reads one directory of pg_basebackup's, `files` holds a backup's
files against its manifest.
"""
