"""What programs that run once read: `sources` says what, `gather` reads it, `progress` shows that
it does.
"""
