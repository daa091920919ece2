"""Timestamps as the server's input function reads them, whatever a person or a program writes.

`fields` takes a text apart, `reading` finds what the fields mean, `calendar` counts days.
`tests/data/times.json` holds what servers of each major answered.
"""
