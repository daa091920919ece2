"""The ledger: what earlier readings of archived segments said, in one SQLite file.

A cache and nothing more. It never is evidence by itself: every row says when its file was last
read, a row counts only while the file's size and times are those that were read, and whatever is
wrong with the ledger costs time, never a verdict.
"""
