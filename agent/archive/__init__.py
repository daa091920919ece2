"""WAL archives: listed, read and served.

- Layouts: `directory` and `pg_wal`; `tree` walks, `tar` and `codecs` unpack, `stored` reads one
  file.
- Reading: `scanner` by `workers`, `round` and `limits` for its cost, `progress` for who waits,
  `readings` for what comes of it, `memory`, `ledger_memory` and `stretches` for what is remembered.
- Serving: `fetch` (fetch-wal), `prefetch` and `spool`, `restore_command`.
- `scratch_names`: what drills leave in a directory, which is no archive.
"""
