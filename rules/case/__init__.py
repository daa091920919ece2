"""What is known of one cluster, as one value: every program asks it, and derives nothing itself.

- `observations`: what readers bring, each one reading of one source at one instant.
- `context`: what a person set: depth, objectives, acknowledged gaps, the question if there is one.
- `case`: the `Case` of both, which gives a fact by its type.
- `engine`: how a fact is worked out, remembered and dropped.
- `derived/`: the derivations, a family a file. A file in it is all that a new fact needs.
"""
