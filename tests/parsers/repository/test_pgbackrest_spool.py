"""What an .ok file of pgBackRest's spool says of its segment."""

import pytest

from parsers.errors import ParseError
from parsers.repository.pgbackrest_config import parse_config, spool_of
from parsers.repository.pgbackrest_spool import parse_ok_file

DROPPED = "dropped WAL file '000000010000000000000003' because archive queue exceeded 2MB"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", None),
        (f"0\n{DROPPED}".encode(), DROPPED),
        (b"0\nWAL file '000000010000000000000003' already exists in the repo1 archive", None),
        (b"25\nraised from remote-0 protocol\nunable to write\n",
         "[25] raised from remote-0 protocol\nunable to write"),
    ],
)  # fmt: skip
def test_what_an_ok_file_says(content: bytes, why: str | None) -> None:
    assert parse_ok_file(content) == why


@pytest.mark.parametrize("content", [b"0", b"0\n", b"\n", b"no\nx", b"\xff\xfe\n\x00"])
def test_what_pgbackrest_does_not_write_is_an_error(content: bytes) -> None:
    with pytest.raises(ParseError):
        parse_ok_file(content)


@pytest.mark.parametrize(
    ("text", "spool"),
    [
        ("[global]\nspool-path=/s", None),
        ("[global]\nspool-path=/s\narchive-async=y", "/s"),
        ("[global:archive-push]\narchive-async=y", "/var/spool/pgbackrest"),
        ("[global:archive-get]\narchive-async=y", None),
        ("[global]\narchive-async=y\n[main]\narchive-async=n", None),
    ],
)
def test_the_spool_is_that_of_archive_push(text: str, spool: str | None) -> None:
    assert spool_of(parse_config(text, {}), {}, "main") == spool


def test_the_environment_goes_before_the_file() -> None:
    sections = parse_config("[global]\narchive-async=y\nspool-path=/s", {})
    assert spool_of(sections, {"PGBACKREST_SPOOL_PATH": "/e"}, "main") == "/e"
