"""`pitr-watch`: a restore, followed until it ends.

- `live` runs it and `loop` its steps, with `options` and `sources`. `follow` joins what the log
  says with `prober` (a thread: files, processes, SQL, by `probe`) and `foreteller` (a process:
  the predictor, by `foretell`).
- `notice` is what there is to say of it beside its log; `present`, `lines` and `screen` show it to
  a person, `report` to a program. `settings` reads the data directory's.
"""
