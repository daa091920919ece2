"""The command to paste: the restore that was proven, in the words that the tool takes."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.goal import Goal
from rules.model.repository import RepositoriesRead, RepositoryFacts
from rules.repository.command import ToolAsked, asked_words, restore_command_of, tool_command
from tests.rules.make_restore import at, told
from tests.rules.repository.tools import LABEL, listed, plain, repository, stored, view

STORY = told()
CLOUD = "barman-cloud-wal-restore"
NOON = "2027-01-15 08:00:21.000000+00"  # at(21)


def words(tool: str, goal: Goal, timeline: int | str | None = None) -> str:
    return " ".join(asked_words(ToolAsked(tool=tool, goal=goal, label=LABEL, timeline=timeline)))


@pytest.mark.parametrize(
    ("goal", "timeline", "pgbackrest", "barman"),
    [
        (Goal(), None, "--type=default", ""),
        (Goal(), 2, "--type=default --target-timeline=2", "--target-tli 2"),
        (
            Goal(type="xid", xid=7, inclusive=False), "latest",
            "--type=xid --target=7 --target-exclusive --target-timeline=latest"
            " --target-action=promote",
            "--target-xid 7 --exclusive --target-tli latest --target-action promote",
        ),
        (
            Goal(type="lsn", lsn=0x3000028, action="pause"), None,
            "--type=lsn --target=0/3000028 --target-action=pause",
            "--target-lsn 0/3000028 --target-action pause",
        ),
        (
            Goal(type="time", time_us=at(21)), None,
            f"--type=time --target={NOON} --target-action=promote",
            f"--target-time {NOON} --target-action promote",
        ),
        # a name is never exclusive
        (
            Goal(type="name", name="p", inclusive=False), None,
            "--type=name --target=p --target-action=promote",
            "--target-name p --target-action promote",
        ),
        (
            Goal(type="immediate"), 1, "--type=immediate --target-action=promote",
            "--target-immediate --target-tli 1 --target-action promote",
        ),
    ],
)  # fmt: skip
def test_a_target_in_the_words_of_each_tool(
    goal: Goal, timeline: int | str | None, pgbackrest: str, barman: str
) -> None:
    assert (words("pgBackRest", goal, timeline), words("Barman", goal, timeline)) == (
        pgbackrest, barman,
    )  # fmt: skip


def proven(goal: Goal, *repositories: RepositoryFacts, **changes) -> str | None:
    seen = view(STORY, goal, *repositories)
    return tool_command(seen.read, replace(plain(seen), **changes), goal)


XID = Goal(type="xid", xid=802)


@pytest.mark.parametrize(
    ("tool", "goal", "command"),
    [
        (
            "pgBackRest", XID,
            "pgbackrest --stanza=main --set=first --repo=1 --type=xid --target=802"
            " --target-timeline=1 --target-action=promote --archive-mode=off restore\n",
        ),
        (
            "Barman", XID,
            "barman recover --target-xid 802 --target-tli 1 --target-action promote main first"
            " DATA_DIRECTORY\n",
        ),
        ("Barman", Goal(), "barman recover --target-tli 1 main first DATA_DIRECTORY\n"),
        ("barman-cloud", XID, "barman-cloud-restore /repo main first DATA_DIRECTORY\n# then"),
        ("WAL-G", XID, "wal-g backup-fetch DATA_DIRECTORY first\n# then recovery.signal"),
    ],
)  # fmt: skip
def test_the_command_names_backup_and_timeline(tool: str, goal: Goal, command: str) -> None:
    made = proven(goal, repository(tool, listed()))
    assert made is not None and made.startswith(command)
    if tool in ("WAL-G", "barman-cloud"):
        assert "recovery_target_xid = '802'" in made and "restore_command = '" in made


def test_barman_without_a_target_restores_without_a_recovery_where_none_begins_a_timeline() -> None:
    seen = view(STORY, Goal(), repository("Barman", listed()))
    answer = plain(seen)
    assert answer.prediction is not None
    plainly = replace(answer, prediction=replace(answer.prediction, new_timeline=None))
    made = tool_command(seen.read, plainly, Goal())
    assert made == "barman recover main first DATA_DIRECTORY\n"


def test_with_two_repositories_wal_comes_from_whichever_has_it() -> None:
    two = (repository("pgBackRest", listed()), repository("pgBackRest", number=2))
    made = proven(XID, *two)
    assert made is not None and "--repo" not in made
    assert restore_command_of(RepositoriesRead(repositories=two)) == (
        'pgbackrest --stanza=main archive-get %f "%p"'
    )


def test_settings_that_the_restore_needs_are_said_before_the_start() -> None:
    seen = view(STORY, XID, repository("pgBackRest", listed()))
    answer = plain(seen)
    assert answer.prediction is not None
    needy = replace(answer.prediction, needs={"max_connections": "200"})
    made = tool_command(seen.read, replace(answer, prediction=needy), XID)
    assert made is not None and made.endswith("\n# before the start: max_connections = 200\n")


@pytest.mark.parametrize("changes", [{"prediction": None}, {"backup": None}, {"backup": "plain"}])
def test_nothing_is_to_be_pasted_that_was_not_proven(changes: dict) -> None:
    if changes.get("backup"):
        changes = {"backup": replace(stored(STORY), stored=None)}
    assert proven(XID, repository("Barman", listed()), **changes) is None
    out_of_reach = Goal(type="xid", xid=999)
    assert proven(out_of_reach, repository("Barman", listed())) is None


@pytest.mark.parametrize(
    ("tool", "url", "command"),
    [
        ("pgBackRest", "/repo", 'pgbackrest --stanza=main --repo=1 archive-get %f "%p"'),
        ("Barman", "/repo", "barman get-wal main %f > %p"),
        *(
            ("barman-cloud", f"{at}://b/p", f"{CLOUD} --cloud-provider {of} {at}://b/p main %f %p")
            for at, of in (
                ("s3", "aws-s3"), ("gs", "google-cloud-storage"), ("az", "azure-blob-storage"),
            )
        ),
        ("barman-cloud", "/repo", f"{CLOUD} /repo main %f %p"),
        ("WAL-G", "s3://b", 'wal-g wal-fetch "%f" "%p"'),
    ],
)  # fmt: skip
def test_the_restore_command_of_each_tool(tool: str, url: str, command: str) -> None:
    read = RepositoriesRead(repositories=(repository(tool, url=url),))
    assert restore_command_of(read) == command


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1))
def test_a_name_of_any_letters_reaches_the_tool_as_one_word(name: str) -> None:
    for tool, at_word in (("pgBackRest", 1), ("Barman", 2), ("barman-cloud", 2)):
        read = RepositoriesRead(repositories=(repository(tool, name=name),))
        command = restore_command_of(read)
        # What the server makes of it: %% is %, %f and %p are names.
        given = "%".join(part.replace("%f", "F").replace("%p", "P") for part in command.split("%%"))
        assert shlex.split(given)[at_word].removeprefix("--stanza=") == name
