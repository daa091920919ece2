"""Faults of PostgreSQL itself, as its release notes tell them: one file each, checks like others.

A file has its `FAULT` (majors, the releases that mend it, the notes) and a check that says which
backups, standbys or indexes it may have reached. docs/known-faults.md is made of them.
"""
