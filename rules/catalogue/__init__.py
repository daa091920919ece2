"""The checks: one file each, named for its finding, with a docstring that is its page."""
