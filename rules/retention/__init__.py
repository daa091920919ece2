"""What each backup needs of an archive, what nothing needs, and what a deletion costs."""
