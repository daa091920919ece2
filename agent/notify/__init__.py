"""Who is told of alerts: one file a kind of receiver; `registry.py` is their table."""
