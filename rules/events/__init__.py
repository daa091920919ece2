"""Finding the moment: what happened in the WAL, and the target just before it.

`path_segments` is the WAL of one path of timelines; `transactions` what each wrote there,
`catalog_rows` and `relation_names` to which relations; `events` what was asked for,
by `wanted` and `candidates`; `path_event` one of them;
`target_before` the proven target; `attribution` who did it, by the log; `coverage` the segments
of an instant.
"""
