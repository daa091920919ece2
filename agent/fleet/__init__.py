"""Every cluster of a configuration, one after the other: `collect` reads, the others render."""
