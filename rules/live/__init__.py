"""A restore that runs, or that has just ended: where it is, and what it has come to.

- `state_machine` turns log events into a `phase`, `attempt` keeps what they say; `summary` is one
  verdict, with what `shortfall` knows of an end of WAL that was none, and one of the `outcomes`;
  `logged` is what a log said. `checks` says whether it is
  over, `missing_files` which complaints of restore_command are harmless.
- `reasons` says why a start failed, by the rows of `failures`; `places` what to type, with paths.
- `facts` is the one fact that checks ask for, `LiveRestore`: of a log that `RestoreRecord` follows,
  with `observation`, one look at the server. `forecast` is the predictor's answer; `settings`
  reads the configuration in its terms.

Why a restore stands still, ended short, or will fail, and what to do, is in the catalogue.
"""
