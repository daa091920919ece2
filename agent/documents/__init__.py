"""What the programs say, as documents that other programs read: below the faces, which share it.

- `verdict`: the document of `pitr-check`, `pitr-check/1`, which the agent's API serves as well.
- `drill`: a drill, the `drill` of that document.
- `parts`: what the documents of several faces say alike.
- `values`: LSNs and instants, in JSON and in print.
- `render`: a document, or a person's lines, as one text.
"""
