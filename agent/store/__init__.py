"""Stores: directories, `s3://`, `gs://`, `az://` and `sftp://`, read and never written.

Every byte of evidence comes through here (`tests/test_boundary.py`).

- `paths` reads backups, and WAL outside of an archive, wherever they lie; `reading` opens one file.
- `local` reads the directories of this machine.

- `urls` takes addresses apart, and knows which endpoint and region an archive was configured with.
- `opening` opens a bucket.
- `objects` lists a prefix, reads a range, opens a stream; what fails is asked again.
- `sftp` asks another host the same.
- `odd_keys` reads the pages of a listing that obstore cannot take.
- `patience` says how often, and puts a failure into words that hold no secret.

A file of a store is an `ArchivedFile` too, its directory an address.
"""
