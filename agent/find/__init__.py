"""`pitr-check find`: from an archive and its backups to what happened, and the target before it."""
