"""Info files and manifests as pgBackRest wrote them: whole, cut and flipped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.repository.pgbackrest import (
    WrongPassphrase,
    parse_archive_info,
    parse_backup_info,
    parse_manifest,
    parse_sections,
    parse_stored_name,
)
from tests.fix_repositories import Samples


def with_checksum(sections: dict[str, dict[str, str]]) -> bytes:
    """An info file as the tool writes it; values are written as JSON already."""
    whole = ",".join(
        json.dumps(name, ensure_ascii=False)
        + ":{"
        + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{v}" for k, v in sorted(keys.items()))
        + "}"
        for name, keys in sorted(sections.items())
    )
    digest = hashlib.sha1(f"{{{whole}}}".encode()).hexdigest()
    text = ""
    for name, keys in sections.items():
        text += f"[{name}]\n" + "".join(f"{k}={v}\n" for k, v in sorted(keys.items())) + "\n"
    return (text + f'[backrest]\nbackrest-checksum="{digest}"\n').encode()


@pytest.fixture(scope="module")
def stanza(samples: Samples) -> Path:
    return Path(samples("br_bundle_block_18").url())


def test_the_archive_of_a_stanza(stanza: Path) -> None:
    info = parse_archive_info((stanza / "archive/main/archive.info").read_bytes())
    current = info.databases[info.current_id]
    assert (current.archive_id, current.system_identifier) == ("18-1", 7713232073658397964)
    assert info.passphrase is None


def test_the_backups_of_a_stanza(stanza: Path, samples: Samples) -> None:
    info = parse_backup_info((stanza / "backup/main/backup.info").read_bytes())
    told = samples("br_bundle_block_18").truth["backups"]
    assert [(b.label, b.kind, b.prior) for b in info.backups] == [
        (b["label"], b["type"], b["prior"]) for b in told
    ]
    assert info.backups[0].annotations == {"note": "año ñ", "reason": "nightly"}
    assert info.backups[-1].references == tuple(b["label"] for b in told[:-1])


def test_a_manifest_of_bundles_and_blocks(stanza: Path) -> None:
    found = sorted((stanza / "backup/main").glob("*I/backup.manifest"))
    manifest = parse_manifest(found[-1].read_bytes())
    assert (manifest.kind, manifest.compression, manifest.bundle_raw) == ("incr", "zst", True)
    assert manifest.references[-1] == manifest.label
    by_path = {file.path: file for file in manifest.files}
    control, label = by_path["pg_data/global/pg_control"], by_path["pg_data/backup_label"]
    assert (control.bundle, control.offset, control.stored_bytes) == (1, 508, 186)
    assert (label.bundle, label.block_bytes, label.reference) == (None, None, None)
    assert by_path["pg_data/base/1/16384"].block_bytes == 8192


@pytest.mark.parametrize("name", ["archive/main/archive.info", "backup/main/backup.info"])
def test_no_cut_file_is_believed(stanza: Path, name: str) -> None:
    data = (stanza / name).read_bytes()
    parse = parse_archive_info if "archive" in name else parse_backup_info
    for length in range(len(data) - 1):  # the last byte is a line's end
        with pytest.raises(ParseError):
            parse(data[:length])


def test_no_flipped_byte_is_believed(stanza: Path) -> None:
    data = (stanza / "archive/main/archive.info").read_bytes()
    whole = parse_archive_info(data)
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x20
        try:
            assert parse_archive_info(bytes(flipped)) == whole
        except ParseError:
            continue


def test_another_format_is_named() -> None:
    with pytest.raises(ParseError, match="format 6: this program reads 5"):
        parse_sections(with_checksum({"backrest": {"backrest-format": "6"}}))


def test_bytes_that_are_no_text_are_another_passphrase() -> None:
    with pytest.raises(WrongPassphrase):
        parse_sections(b"\xff\xfe\x00rubbish")


def test_a_manifest_may_not_lead_out_of_its_backup() -> None:
    sections = {
        "backup": {"backup-label": '"20261128-144003F"', "backup-type": '"full"'},
        "target:file": {"pg_data/../../../etc/passwd": '{"size":3}'},
    }
    with pytest.raises(ParseError, match="is no file"):
        parse_manifest(with_checksum(sections))


names = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0={}[]"), min_size=1)


@given(
    st.dictionaries(
        names, st.integers() | st.text(max_size=9) | st.booleans(), min_size=1, max_size=5
    )
)
@example({"0": "={"})
@example({'a={"b":1}': {"c": "=[1"}, "a=1": '="'})
def test_what_is_written_is_read(values: dict[str, object]) -> None:
    keys = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
    assert dict(parse_sections(with_checksum({"db": keys}))["db"]) == values


@given(st.binary(max_size=200))
def test_anything_else_is_a_parse_error(data: bytes) -> None:
    for parse in (parse_archive_info, parse_backup_info, parse_manifest):
        with pytest.raises(ParseError):
            parse(data)


def test_names_of_stored_segments() -> None:
    sha1 = "ab335760" * 5
    plain = parse_stored_name(f"00000001000000000000000E-{sha1}")
    partial = parse_stored_name(f"00000001000000000000000E.partial-{sha1}.zst")
    assert plain is not None and (plain.segment[-1], plain.sha1, plain.suffix) == ("E", sha1, "")
    assert partial is not None and (partial.partial, partial.suffix) == (True, ".zst")
    for name in ("00000002.history", f"0000000E-{sha1}", f"00000001000000000000000E-{sha1}.xz"):
        assert parse_stored_name(name) is None
