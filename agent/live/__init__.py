"""A server's log and the restore in it, for all that follow one: the agent, its page and
`pitr-watch`.

`logtail` follows the file, `error_log` the .log beside a csvlog, `message_catalogues` finds the
server's translations, `progress` says how fast replay is, `words` says all of it plainly.
"""
