"""Restore drills: `comparison` holds a restore that ran against its prediction, `records` is what
is remembered of drills, `sample` chooses a random instant.
"""
