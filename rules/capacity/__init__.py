"""How much, and until when: `exposure` (what a loss would cost now), `forecast` (when pg_wal is
full, how long a restore takes), `archiving_history` (how archiving went of late).
"""
