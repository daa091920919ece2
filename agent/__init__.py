"""Everything that touches the world: SQL, files, schedules, HTTP, terminals."""

__version__ = "0.1.0"
