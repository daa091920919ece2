"""The laboratory: the seed's PITR exercise on a real server, and faults on request.

It makes a history whose every transaction it knows, and compares what it recorded with the line
on which PostgreSQL says that it stopped. It never touches a server that it did not start.
"""
