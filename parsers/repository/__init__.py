"""What other backup tools write about their repositories: info files, manifests, names.

- `pgbackrest`, `barman` and `walg` take apart what each tool says of its backups and its WAL.
- `block_map` is pgBackRest's way to keep only the changed blocks of a file.
- `configuration` reads the files that the tools are configured with.

Text and bytes in, frozen values out: where they come from is `agent.repositories`' business.
"""
