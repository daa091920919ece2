"""WAL in a cold storage class: unknown, with how much of it and who waits for it; never damaged."""

from __future__ import annotations

import obstore
import pytest
from obstore.store import AzureStore

from tests.fix_agent import UNHURRIED, WatchedAgent
from tests.fix_check import Archived, pitr_check
from tests.fix_stores import Answer, Asked, Bucket, Proxy
from tests.integration.test_slots import finding
from tests.integration.test_store_azure import ACCOUNT, KEY, signed_put
from tests.integration.test_store_azure import endpoint as endpoint
from tests.integration.test_store_faults import FALSE, answers
from tests.integration.test_store_programs import NewAgent


def test_segments_in_glacier_are_a_finding_of_their_own(
    proxy: Proxy, bucket: Bucket, archived: Archived, new_agent: NewAgent
) -> None:
    url = bucket.put_tree(archived.archive, "glacier")
    cold = [segment.name for segment in archived.segments[3:6]]

    def is_cold(asked: Asked, answer: Answer) -> None:
        if not asked.is_listing and asked.path.rpartition("/")[2] in cold:
            answers(403, b"InvalidObjectState")(asked, answer)

    proxy.fault = is_cold
    checked = pitr_check("--archive", url, "--backup", archived.backup, "--format", "json")
    assert (checked.status, checked.json["verdict"]) == (3, "unknown")
    assert not FALSE.search(checked.out)
    assert "wal_unread" not in checked.findings
    found = next(each for each in checked.json["findings"] if each["id"] == "wal_in_cold_storage")
    assert found["severity"] == "unknown"
    assert found["evidence"] == {
        "first": cold[0], "last": cold[-1], "segments": 3, "backups": 1,
    }  # fmt: skip
    assert found["summary"] == (
        f"3 segments in cold storage, {cold[0]} to {cold[-1]}: the windows of"
        f" {archived.backup} wait for them"
    )
    asked = [each.path for each in proxy.asked if each.path.endswith(cold[1])]
    assert len(asked) == 1, "asking again brings nothing"
    agent = new_agent(UNHURRIED, archives=[{"url": url}], backups={"url": str(archived.backup)})
    once = agent.wait_for(lambda page: _finds_it(page) and _counts(agent, 3))
    assert once.total("pitr_archive_damaged_segments", kind="truncated") == 0
    asked_count = sum(each.path.endswith(cold[1]) for each in proxy.asked)
    scans = sum(each.is_listing for each in proxy.asked)
    agent.wait_for(lambda page: sum(each.is_listing for each in proxy.asked) > scans + 6)
    assert sum(each.path.endswith(cold[1]) for each in proxy.asked) == asked_count
    _fine(agent, proxy)


def _finds_it(page: object) -> bool:
    return page.total("pitr_finding", id="wal_in_cold_storage") == 1  # type: ignore[attr-defined]


def _counts(agent: WatchedAgent, segments: int) -> bool:
    """Whether it has found so many there: a round may end before the last."""
    found = finding(agent, "wal_in_cold_storage")
    return found is not None and found["evidence"]["segments"] == segments


def _fine(agent: WatchedAgent, proxy: Proxy) -> None:
    """A restart asks again: what was restored there is read."""
    proxy.fault = lambda asked, answer: None
    agent.restart()
    agent.wait_for(lambda page: page.total("pitr_backups", state="restorable") == 1)


@pytest.mark.needs("azurite")
def test_the_archive_tier_of_azure(
    endpoint: str, archived: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azurite refuses an archived blob by itself."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    writer = AzureStore("wal", endpoint=endpoint, client_options={"allow_http": True})
    for path in archived.archive.iterdir():
        obstore.put(writer, f"p/{path.name}", path.read_bytes())
    cold = archived.segments[4].name
    archive = {"x-ms-access-tier": "Archive"}
    assert signed_put(endpoint, f"wal/p/{cold}", "comp", "tier", archive)
    checked = pitr_check(
        "--archive", f"az://wal/p?endpoint={endpoint}", "--backup", archived.backup,
        "--format", "json",
    )  # fmt: skip
    assert checked.status == 3
    found = next(each for each in checked.json["findings"] if each["id"] == "wal_in_cold_storage")
    assert (found["evidence"]["first"], found["evidence"]["segments"]) == (cold, 1)
