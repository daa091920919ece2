"""Evidence that outlives the tool: each verdict and drill as a signed statement in a chain.

- `keys` makes, reads and uses the Ed25519 keys.
- `statement` makes a statement of a verdict; `words` keeps secrets out of it.
- `directory` reads the files of a chain, `writer` appends to them.
- `verify` holds a chain, and an archive, against what was signed; `verification` says how it went.
- `period` and `render_html` make an auditor's page of the statements of a period.
"""
