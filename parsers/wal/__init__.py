"""WAL: one segment on its own, then what crosses its ends.

- Layout: `page` and `pages` (headers), `stream` (the bytes between them), `record` (a record's
  header), `columns` (many headers at once), `fragment` (a record in pieces), `crc`.
- Reading: `scan` reads a segment, `engine` walks its records and is the boundary where a faster
  one can take over, `judge` and `damage` say what is wrong, `identity` whose segment it is,
  `resume` begins in its middle, `locate` finds one record.
- Meaning: `decode` and `collect` turn records into the values of `facts`.
- Across segments: `stitch` joins what crosses a boundary, `join` makes one scan of many
  uneventful ones.
- For `pitr-check find`: `blocks`, `heap_page`, `pg_catalog`, `journal` (what each transaction
  wrote), `journal_segment` and `journal_columns` (the same in a pass of its own).
"""
