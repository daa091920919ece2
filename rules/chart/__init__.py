"""What can be restored, on a time axis: `model` is the picture, `layout` makes it from facts and
`from_report` from a verdict, with `spans` and `drill_marks`; `downsample` keeps a part of it
small.
"""
