"""`pitr-check plan`: what a restore to a target needs, before it is made."""
