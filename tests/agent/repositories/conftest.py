"""Repositories of other tools, each unpacked once."""

from tests.fix_repositories import samples

__all__ = ["samples"]
