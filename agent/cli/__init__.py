"""The command lines: one file a program; `entry` turns every end into an exit status."""
