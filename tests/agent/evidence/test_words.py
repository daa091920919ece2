"""Nothing secret goes into a statement."""

from __future__ import annotations

import json

import pytest

from agent.evidence.words import LIST_MAX, to_be_kept, without_secrets

SECRET = "s3cr3tW0rd"


@pytest.mark.parametrize(
    "text",
    [
        f"PGPASSWORD={SECRET} psql -h host",
        f"env AWS_SECRET_ACCESS_KEY='{SECRET}' aws s3 cp s3://b/%f %p",
        f"wal-fetch --password {SECRET} %f",
        f"wal-fetch --repo1-cipher-pass={SECRET} %f",
        f"curl -H 'Authorization: Bearer {SECRET}' https://host/%f -o %p",
        f"curl https://me:{SECRET}@host/%f",
        f"https://account.blob.example/c/%f?sv=2024&sig={SECRET}&se=2027",
        f"host=h password={SECRET} user=u",
        f"password = '{SECRET} with spaces'",
        f'"api_key": "{SECRET}"',
        f"AZURE_STORAGE_ACCOUNT_KEY={SECRET}; cp %p x",
        f"X-Amz-Security-Token={SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_put_out_of_sight(text: str) -> None:
    assert SECRET not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "cp /backup/wal/%f %p",
        "recovery will stop before the commit of transaction 732 at 0/4046FB0",
        "s3://bucket/prefix",
        "the file /etc/passwd is not a segment",
        "sftp://user@host/path",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_of_a_probe_only_whether_it_held_is_kept() -> None:
    probe = {"database": "db", "sql": f"SELECT '{SECRET}'", "expected": SECRET, "got": SECRET,
             "error": SECRET, "asked": True, "holds": False}  # fmt: skip
    finding = {"id": "drill_probe_failed", "severity": "critical", "remedy": "",
               "summary": f"the probe gave {SECRET}",
               "evidence": {"database": "db", "sql": SECRET, "got": SECRET}}  # fmt: skip
    kept, _ = to_be_kept({"findings": [finding], "drill": {"probes": [probe]}})
    assert SECRET not in json.dumps(kept)
    assert kept["drill"]["probes"] == [{"database": "db", "asked": True, "holds": False}]


def test_a_long_list_is_shortened_and_said() -> None:
    kept, shortened = to_be_kept({"findings": [], "restore_points": list(range(1000))})
    assert len(kept["restore_points"]) == LIST_MAX
    assert (kept["restore_points"][0], kept["restore_points"][-1]) == (0, 999)
    assert shortened == [{"list": "restore_points", "entries": 1000}]
