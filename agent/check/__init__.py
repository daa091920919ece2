"""`pitr-check`: `run` makes the verdict, `drill` and `try_restore` prove it, one `render_` a
format.
"""
