"""Why a drill could not be made."""

from __future__ import annotations


class CannotDrill(Exception):
    """Nothing was proven, neither good nor bad. One line: what, where, and what to type next."""
