"""Server logs: bytes as they come, recovery events out.

- `stream` is the entrance. `filter` drops lines that need no reading; `encoding`, `locale` and
  `origin` find out in what a log is written and by whom.
- Around the lines: `detection` finds the format in the first of them, `wrapping` takes off what
  shippers put around each, `damage` undoes what terminals and browsers did to it.
- Formats: `format` (stderr, and what each reader gives), `csvlog`, `jsonlog`, `syslog`; `prefix` is
  log_line_prefix, `times` their stamps.
- Meaning: `messages/` is the table of the server's messages, `message_catalogue` compiles it in
  any language, `recovery_events` are the values; `command_output` reads what child commands
  write.
"""
