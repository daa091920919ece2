"""Keys that are no paths: one of them blinds nobody, and WAL that has such a key is unknown."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from obstore import put_async
from obstore.store import S3Store

from agent.store.objects import list_objects
from tests.fix_check import Archived, Checked, pitr_check
from tests.fix_stores import (
    ACCESS_KEY,
    READER_KEY,
    READER_SECRET,
    SECRET_KEY,
    Answer,
    Asked,
    Bucket,
    Fault,
    Proxy,
)
from tests.integration.test_store_faults import FAULTS, every_third

UNPRINTABLE = "%0A"


def put_unprintable(bucket: Bucket, above: str, *names: str, data: bytes = b"x") -> list[str]:
    """Put objects below a part that obstore refuses to name; SeaweedFS takes them."""
    writer = S3Store(
        bucket.name,
        endpoint=f"{bucket.store.endpoint}/{bucket.name}/{above}/{UNPRINTABLE}",
        virtual_hosted_style_request=True, region="us-east-1",
        access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )  # fmt: skip

    async def put_all() -> None:
        room = asyncio.Semaphore(32)

        async def put(name: str) -> None:
            async with room:
                await put_async(writer, name, data)

        await asyncio.gather(*map(put, names))

    asyncio.run(put_all())
    return [f"{above}/\n/{name}" for name in names]


def doubles_a_slash(above: str, name: str) -> Fault:
    """`above//name` in each listing that would hold it: SeaweedFS makes one slash of two."""
    found = f"<Contents><Key>{above}//{name}</Key><ETag>&#34;d1&#34;</ETag><Size>1</Size>".encode()
    found += b"<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"

    def spoil(asked: Asked, answer: Answer) -> None:
        after = re.search(r"start-after=([^&]*)", asked.path)
        if asked.is_listing and after is None:
            first = b"<Contents>" if b"<Contents>" in answer.body else b"<KeyCount>"
            answer.body = answer.body.replace(first, found + first, 1)

    return spoil


def check(url: str, archived: Archived, *options: object) -> Checked:
    named = ("--archive", url, "--backup", archived.backup, "--format", "json")
    return pitr_check(*named, *options)


@pytest.mark.parametrize("kind", ["empty", "unprintable"])
def test_an_odd_key_among_the_others_changes_nothing(
    proxy: Proxy, bucket: Bucket, archived: Archived, kind: str
) -> None:
    url = bucket.put_tree(archived.archive, f"among-{kind}")
    if kind == "empty":
        odd = f"among-{kind}//notes"
        proxy.fault = doubles_a_slash(f"among-{kind}", "notes")
    else:
        (odd,) = put_unprintable(bucket, f"among-{kind}", "notes")
    checked = check(url, archived)
    assert (checked.status, checked.json["verdict"]) == (0, "ok"), checked.out + checked.err
    sound = {f"among-{kind}/{path.name}" for path in archived.archive.iterdir()}
    assert {entry.key for entry in list_objects(url)} == sound | {odd}


@pytest.mark.parametrize("kind", ["empty", "unprintable"])
def test_a_segment_of_an_odd_key_alone_is_unknown(
    proxy: Proxy, bucket: Bucket, archived: Archived, kind: str
) -> None:
    """As `aws s3 cp %p s3://bucket/wal//%f` puts them: they are there, and nobody says missing."""
    url, segment = bucket.put_tree(archived.archive, kind), archived.segments[-2]
    bucket.delete(f"{kind}/{segment.name}")
    assert check(url, archived).status == 2
    if kind == "empty":
        proxy.fault = doubles_a_slash(kind, segment.name)
    else:
        put_unprintable(bucket, kind, segment.name, data=segment.read_bytes())
    checked = check(url, archived)
    assert checked.status == 3, checked.out
    (archive,) = checked.json["archives"]
    assert archive["gaps"] == []
    (damaged,) = archive["damaged"]
    assert (damaged["segment"], damaged["kind"]) == (segment.name, "unreadable")
    assert "as in a//b: move it elsewhere" in damaged["detail"]
    found = pitr_check("find", "--archive", url, "--backup", archived.backup)
    assert "this is a bug" not in found.out + found.err


def test_a_sound_copy_beside_it_is_used(proxy: Proxy, bucket: Bucket, archived: Archived) -> None:
    url = bucket.put_tree(archived.archive, "copies")
    proxy.fault = doubles_a_slash("copies", archived.segments[-2].name)
    checked = check(url, archived)
    assert checked.json["restorable"] is True
    assert checked.json["archives"][0]["damaged"] == []


def test_pages_full_of_them_are_listed_from_wherever(bucket: Bucket) -> None:
    """Two pages of odd keys between sound ones, at every key that a listing may go on after."""
    sound = [f"pages/{number:04}" for number in range(20)]
    for key in sound:
        bucket.put(key, b"")
    odd = put_unprintable(bucket, "pages", *(f"{number:04}" for number in range(1100)))
    keys = sorted(odd + sound)
    url = bucket.url("pages")
    assert [entry.key for entry in list_objects(url)] == keys
    for place in (0, 1, 999, 1000, 1099, 1100, 1101, 1118, 1119):
        assert [entry.key for entry in list_objects(url, keys[place])] == keys[place + 1 :]


@pytest.mark.parametrize("name", ["cuts the body", "ends early", "503"])
def test_a_store_that_fails_meanwhile(
    proxy: Proxy, bucket: Bucket, archived: Archived, name: str
) -> None:
    url = bucket.put_tree(archived.archive, "failing")
    put_unprintable(bucket, "failing", "notes")
    proxy.fault = every_third(FAULTS[name])
    assert check(url, archived).status == 0
    said = {entry.key for entry in list_objects(url)}
    assert len(said) == len(list(archived.archive.iterdir())) + 1


def test_what_is_signed_is_told_to_nobody(
    proxy: Proxy,
    bucket: Bucket,
    archived: Archived,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys from files as well; a page that is refused names neither them nor its own address."""
    url = bucket.put_tree(archived.archive, "signed")
    put_unprintable(bucket, "signed", "notes")
    for name, value in {"id": READER_KEY, "secret": READER_SECRET}.items():
        (tmp_path / name).write_text(value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    files = f"access_key_id_file={tmp_path / 'id'}&secret_access_key_file={tmp_path / 'secret'}"
    assert check(f"{url}?{files}", archived).status == 0

    def refuses(asked: Asked, answer: Answer) -> None:
        if "X-Amz-Signature" in asked.path:
            answer.status, answer.body = 403, b"<Error><Code>AccessDenied</Code></Error>"

    proxy.fault = refuses
    checked = check(f"{url}?{files}", archived)
    assert checked.status == 3
    assert "the store refuses access (HTTP 403, AccessDenied)" in checked.err
    for secret in (READER_SECRET, READER_KEY, "X-Amz"):
        assert secret not in checked.out + checked.err
