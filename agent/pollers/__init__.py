"""What is asked of a server: one file a collector, each a query and the facts it becomes.

A poller lets psycopg.Error through; the scheduler's job owns deadlines and reporting. Everything
here works with a role that is a member of pg_monitor, on PostgreSQL 13 to 18.
"""
