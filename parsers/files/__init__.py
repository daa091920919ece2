"""The small files of a cluster, its backups and its archive.

`backup_label`, `backup_manifest`, `tablespace_map`, `timeline_history`, `pg_control`, and
`server_conf` for `postgresql.conf`: one file each, as the server writes and reads it.
"""
