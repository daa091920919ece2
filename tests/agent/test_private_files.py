"""Files of our own are their owner's alone, whatever the umask; passwords left open are told of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.file import load_config
from agent.ledger.store import Ledger
from agent.private_file import write_private
from agent.state_file import StateFile


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def use_state(path: Path) -> None:
    file = StateFile(path, "alerts")
    file.put(("alerts", "a", 0), "{}")
    file.save()
    file.close()


def use_ledger(path: Path) -> None:
    ledger = Ledger(str(path), pytest.fail)
    ledger.open()
    ledger.close()


def use_marker(path: Path) -> None:
    write_private(path).close()


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("use", [use_state, use_ledger, use_marker])
class TestFilesOfOurOwn:
    def test_a_new_one_is_its_owners(self, use, tmp_path: Path) -> None:
        use(tmp_path / "file")
        assert mode(tmp_path / "file") == 0o600

    def test_one_that_an_earlier_release_left_open_is_closed(self, use, tmp_path: Path) -> None:
        use(tmp_path / "file")
        (tmp_path / "file").chmod(0o644)
        use(tmp_path / "file")
        assert mode(tmp_path / "file") == 0o600

    def test_one_that_is_shared_with_a_group_stays_shared(self, use, tmp_path: Path) -> None:
        use(tmp_path / "file")
        (tmp_path / "file").chmod(0o660)
        use(tmp_path / "file")
        assert mode(tmp_path / "file") == 0o660


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that every account can enter."""
    opened = [each for each in (tmp_path, *tmp_path.parents) if each.owner() == tmp_path.owner()]
    before = {each: mode(each) for each in opened}
    for each, was in before.items():
        each.chmod(was | 0o001)
    yield tmp_path
    for each, was in before.items():
        each.chmod(was)


CLUSTER = "clusters: [{name: a, dsn: %s}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CLUSTER % '"host=x password=s3cret"', "the dsn of a"),
        (CLUSTER % '"postgresql://u:s3cret@x/d"', "the dsn of a"),
        (CLUSTER % '"host=x sslpassword=s3cret"', "the dsn of a"),
        (
            CLUSTER % "service=a" + "alerts: {notify: [{webhook: {url: 'http://u:s3cret@x/'}}]}\n",
            "the url of a receiver",
        ),
    ],
)
def test_a_password_that_every_account_can_read_is_told_of(
    place: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = place / "pitr.yaml"
    config.write_text(text)
    config.chmod(0o644)
    load_config(config)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{config} holds a password ({said}), and every account of this machine can read it: "
        f"type  chmod o-rwx {config}"
    )
    caplog.clear()
    config.chmod(0o640)
    load_config(config)
    assert caplog.records == []
    config.chmod(0o644)
    place.chmod(0o750)
    load_config(config)
    assert caplog.records == [], "nobody gets there"


def test_a_file_of_a_secret_is_told_of_as_well(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret, config = place / "url", place / "pitr.yaml"
    secret.write_text("https://x/s3cret")
    secret.chmod(0o644)
    config.write_text(
        CLUSTER % "service=a" + f"alerts: {{notify: [{{webhook: {{url_file: {secret}}}}}]}}\n"
    )
    load_config(config)
    (record,) = caplog.records
    assert f"{secret} holds a secret" in record.getMessage()
    assert "s3cret" not in record.getMessage()


def test_a_configuration_without_one_may_be_read_by_all(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = place / "pitr.yaml"
    config.write_text(CLUSTER % "service=a")
    config.chmod(0o644)
    load_config(config)
    assert caplog.records == []
