"""Signed statements judged: is the chain whole, which WAL was proven, what a period shows.

- `inventory`: the segments that a chain has proven, as one state with one digest.
- `objectives`: what was wanted beside what was measured.
- `chain`: whether the statements are all there, in order, unaltered and by the keys expected.
- `period`: what the statements of a period show, by cluster.
"""
