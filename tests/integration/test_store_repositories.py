"""Repositories in an object store: the same document as of the same files in a directory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fix_check import timeless
from tests.fix_repositories import PATHS, Sample, Samples
from tests.fix_stores import READER_KEY, READER_SECRET, Bucket
from tests.integration.test_repositories import NOW, run

CASES = ["br_bundle_block_18", "bc_gzip_16", "wg_zstd_sodium_gap_18"]


def told(sample: Sample, *options: str) -> tuple[int, Any]:
    later = "2027-06-01T00:00:00Z"  # nothing was changed a moment ago, in a store neither
    status, document, _ = run(sample, *options, "--backup-depth", "checksums", "--now", later)
    return status, timeless(document)


def moved(document: object, root: str, url: str) -> Any:
    """The document of a directory, as if that lay in the store.

    There a file is as old as its upload, and barman-cloud is told whose store it is.
    """
    text = json.dumps(document).replace(root, url).replace("--cloud-provider aws-s3 ", "")
    text = re.sub(r"its last change was at [0-9: -]+ UTC", "", text)
    return json.loads(re.sub(r'"changed_at": "[^"]*"', '"changed_at": ""', text))


def differing(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Each place where two documents are not the same."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differing(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differing(left, right, f"{where}[{number}]")
    elif one != other:
        yield f"{where}: {one} and {other}"


@pytest.mark.parametrize("case", [case for case in CASES if case in PATHS])
def test_a_sample_in_a_store_is_judged_alike(samples: Samples, bucket: Bucket, case: str) -> None:
    sample = samples(case)
    root = sample.url()
    url = bucket.put_tree(Path(root), case)
    status, document = told(sample, "--repository", root)
    found, in_store = told(sample, "--repository", url)
    same = moved(document, root, url), moved(in_store, root, url)
    assert (found, list(differing(*same))) == (status, [])


def test_keys_and_endpoint_are_the_tools_own(
    samples: Samples, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, config = samples("wg_zstd_sodium_gap_18"), tmp_path / "walg.json"
    url = bucket.put_tree(sample.root / "storage", "keys")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    config.write_text(json.dumps({
        "WALG_S3_PREFIX": url, "AWS_ENDPOINT": bucket.store.endpoint, "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET,
        "WALG_LIBSODIUM_KEY": sample.truth["key_hex"], "WALG_LIBSODIUM_KEY_TRANSFORM": "hex",
    }))  # fmt: skip
    closed = Sample(sample.case, sample.root, {})
    status, document, said = run(closed, "--walg", str(config), "--now", NOW)
    assert document["restorable"] is True and status == 2, said
    assert document["archives"][0]["url"] == f"{url}/wal_005"
    assert READER_SECRET not in json.dumps(document) + said
