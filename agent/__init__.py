"""Everything that touches the world: SQL, files, schedules, HTTP, terminals.

- Programs: `cli` (command lines) over `check`, `find`, `retention`, `watch` and `drill`; `lab`.
- The agent: `daemon` runs it, `monitor` knows each cluster, `pollers` ask servers,
  `drill_schedule` drills, `notify` tells, `web` and `page` serve.
- Shared: `config`; `inputs` (reading for programs that run once); `archive`, `backups` and
  `ledger`; `live` (a log and its restore); `html` (templates and the drawing); `postgres`
  (servers of our own).
- Alone: `deadline`, `durations`, `engine` (which one reads WAL), `errors`, `logs`, `printable`,
  `reference`, `state_file`.
"""

__version__ = "0.1.0"
