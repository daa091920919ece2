"""Signed statements, as bytes: the envelope that carries one, and what one says.

- `envelope`: DSSE, one envelope a line.
- `statement`: the in-toto statement in it.
"""
