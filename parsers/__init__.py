"""Bytes or text in, frozen values out. No I/O, no clock, no logging, no global state.

- `wal/`: WAL segments. `log/`: server logs. `files/`: the small files of a cluster and its
  backups.
- `segment`: names in an archive and their arithmetic. `lsn`: positions. `errors`: how a parser
  says that it could not read something; it raises nothing else, whatever the bytes. `values`:
  the `dataclass` of the whole house.
"""
