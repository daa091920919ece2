"""Another cluster's file where the backup starts: the server dies of its checkpoint, and we say so.

The first file is held to pg_control (XLogReaderValidatePageHeader in xlogreader.c): no file before
it tells whose it should be.
"""

from __future__ import annotations

import re

from tests.fix_check import Archived

_IDENTIFIER = slice(24, 32)  # xlp_sysid of a file's first page, which no checksum covers


def test_a_first_file_of_another_cluster_starts_no_restore(archived: Archived) -> None:
    assert archived.check("--target-immediate").json["target"]["reachable"] is True
    label = (archived.backup / "backup_label").read_text()
    (name,) = re.findall(r"START WAL LOCATION: .* \(file (\w+)\)", label)
    segment = archived.archive / name
    content = bytearray(segment.read_bytes())
    content[_IDENTIFIER] = (int.from_bytes(content[_IDENTIFIER], "little") ^ 1).to_bytes(
        8, "little"
    )
    segment.write_bytes(content)
    archived.age(segment)
    target = archived.check("--target-immediate").json["target"]
    assert (target["reachable"], target["outcome"]) == (False, "fails")
    assert "could not locate required checkpoint record" in target["fatal"]
    assert "system identifier" in target["reason"]
