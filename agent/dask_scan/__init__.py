"""Segments read by the workers of a Dask cluster that is there already.

- `address`: where a scheduler is.
- `words`: what is asked of a worker and what it answers, as bytes.
- `answering`: what a worker does, in its own process, with credentials of its own.
- `link`: the connection to a scheduler, in a thread of its own.
- `workers`: the same interface that threads and processes stand behind.

Placing, queueing, moving and repeating are Dask's. What a worker answers is checked as any foreign
file is; what a scheduler sends is not ours to check, because Dask unpickles it: see
docs/scanning-elsewhere.md.
"""
