"""pitr-lab's command line: what it explains and what it refuses."""

from pathlib import Path

import pytest

from agent.cli.lab import main
from agent.lab.faults import FAULTS


def test_help_tells_options_faults_and_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for expected in ("--pg-bindir", "--major", "--keep", "--dir", "--serve", *FAULTS, "64"):
        assert expected in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--major", "17"], "invalid choice: 17"),
        (["--fault", "flood"], "invalid choice: 'flood'"),
        (["--fault", "gap"], "type  pitr-lab --serve --fault gap"),
        (["--pg-bindir", "/nowhere"], "/nowhere has no working postgres program"),
        (["--keep", "/tmp/it's here"], "name one of letters, digits and ._-/ only"),
        (["--dir", "/nowhere"], "cannot use /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("pitr-lab: ") and error.count("\n") == 1
    assert says in error


def test_a_directory_without_its_programs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    assert main(["--pg-bindir", str(tmp_path)]) == 64
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.needs("root")  # it lends itself another account
@pytest.mark.parametrize("option", ["--dir", "--keep"])
def test_a_place_that_the_servers_account_cannot_enter_is_refused_and_left_as_it_was(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o700)
    place = tmp_path if option == "--dir" else tmp_path / "kept"
    assert main([option, str(place)]) == 64
    assert "cannot enter" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
