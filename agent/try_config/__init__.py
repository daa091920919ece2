"""`pitr-agent check-config --try`: each source of a configuration is read once, and said how."""
