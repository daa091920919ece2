"""The configuration: `file` reads the YAML, `model` says what is in it, with `alerts`, `drills` and
`fields`; `dsn`, `rates`, `crontab` and `urls` read single values.
"""
