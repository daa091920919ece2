"""What is known, as values: every other room speaks in these.

- Readings: `facts` (one reading of one source), `evidence` (facts by type, and which should be
  there), `scans` (what segments say), `findings` (what a check says, and the verdict).
- Shapes: `timelines` (the tree), `sequence` (gaps), `windows` (what is restorable).
- A restore: `target` and `goal` (what is asked for, then read), `restore_inputs` (what it is
  made of), `outcome` (what recovery would do).
"""
