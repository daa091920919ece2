"""How much, and until when: `exposure` (what a loss would cost now), `held_wal` (what keeps WAL in
pg_wal), `forecast` (when pg_wal is full, how long a restore takes), `base_backups` (how far those
are that are being taken), `archiving_history` (how archiving went of late).
"""
