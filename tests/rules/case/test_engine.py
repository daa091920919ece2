"""A case gives a fact by its type: worked out once, dropped with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from rules.archive.listing import ArchiveFacts
from rules.case.case import Case
from rules.case.context import Context
from rules.case.derived.listing import Identity
from rules.case.derived.restores import BackupStates, ListedReaches
from rules.case.engine import DerivedMemory, derivations, derived
from rules.case.observations import ArchiveListings, BackupsRead
from rules.model.evidence import SequenceFacts, WindowsFacts
from rules.model.facts import ArchivedFile, BackupsFacts
from rules.model.sequence import AcknowledgedGap

MIB = 1 << 20
AT = datetime(2026, 1, 1, tzinfo=UTC)


def listing(*numbers: int) -> ArchiveListings:
    names = [f"00000001000000000000{number:04X}" for number in numbers]
    return ArchiveListings(
        archives=(
            ArchiveFacts(
                url="/archive", layout="directory", listed_at=AT, segment_size_bytes=MIB,
                segments={name: ArchivedFile("/archive", name, MIB, 0, 0) for name in names},
                partials={}, compressed=frozenset(), histories={}, broken_histories={},
                backup_labels={}, copies={}, other_count=0,
            ),
        )
    )  # fmt: skip


def case_of(*observed: object, patient: bool = True) -> Case:
    return Case(context=Context(depth="names"), patient=patient).having(*observed)


NO_BACKUPS = BackupsRead(found=BackupsFacts(backups=(), unreadable={}, depth="label"))


def test_a_fact_follows_from_what_was_observed_and_is_worked_out_once() -> None:
    case = case_of(listing(1, 2, 4))
    found = case.get(SequenceFacts)
    assert found is not None and [gap.first_name[-1] for gap in found.gaps] == ["3"]
    assert case.get(SequenceFacts) is found
    assert case.having(NO_BACKUPS).get(Identity) is not None


def test_a_newer_observation_gives_a_newer_fact_and_leaves_the_others() -> None:
    case = case_of(listing(1, 2, 4), NO_BACKUPS)
    before, backups = case.get(SequenceFacts), case.get(BackupsFacts)
    after = case.having(listing(1, 2, 3, 4))
    found = after.get(SequenceFacts)
    assert found is not before and found is not None and not found.gaps
    assert backups is not None and after.get(BackupsFacts) == backups


def test_what_rests_on_a_lost_observation_is_not_known() -> None:
    case = case_of(listing(1, 2, 4), NO_BACKUPS)
    assert case.get(SequenceFacts) and case.get(WindowsFacts)
    lost = case.without(ArchiveListings)
    assert lost.get(SequenceFacts) is None
    assert lost.get(WindowsFacts) is None
    assert lost.get(BackupStates) is not None, "backups were read"


def test_what_a_person_set_counts_as_an_input() -> None:
    case = case_of(listing(1, 2, 4))
    first, last = (f"00000001000000000000{3:04X}",) * 2
    known = AcknowledgedGap(timeline=1, first=first, last=last, why="lost")
    acknowledged = case.set(replace(case.context, acknowledged=(known,))).get(SequenceFacts)
    before = case.get(SequenceFacts)
    assert acknowledged is not None and before is not None
    assert [gap.cause for gap in acknowledged.gaps] == ["acknowledged"]
    assert [gap.cause for gap in before.gaps] == ["lost"]


def test_an_impatient_case_has_a_slow_fact_only_when_a_patient_one_made_it() -> None:
    case = case_of(listing(1, 2), NO_BACKUPS, patient=False)
    assert case.get(ListedReaches) is None
    made = case.waiting().get(ListedReaches)
    assert made is not None and case.get(ListedReaches) is made
    newer = case.having(listing(1, 2, 3))
    assert newer.get(ListedReaches) is made, "the last one stands until the next is made"
    assert newer.waiting().get(ListedReaches) is not made
    assert newer.without(ArchiveListings).get(ListedReaches) is None
    assert newer.get(ListedReaches) is None, "dropped with what it rested on"


def test_what_could_not_be_worked_out_in_time_is_not_known() -> None:
    case = case_of(listing(1, 2), NO_BACKUPS, patient=False)
    assert case.waiting().get(ListedReaches) is not None
    case.drop(ListedReaches)
    assert case.get(ListedReaches) is None


def test_an_observation_goes_before_a_derivation() -> None:
    told = Identity(system_identifier=1, server_major=18, segment_size_bytes=1 << 24)
    assert case_of(listing(1), told).get(Identity) is told


@dataclass(frozen=True)
class _Twice:
    """A fact of this test."""


def test_a_fact_has_one_derivation() -> None:
    def one(context: Context) -> _Twice:
        return _Twice()

    globals().update(Context=Context)
    derived()(one)
    with pytest.raises(TypeError, match="_Twice is derived twice"):
        derived()(one)


def test_no_fact_needs_itself() -> None:
    """The derivations are a tree: asking for each of them with nothing observed ends."""
    case = Case(context=Context(depth="records"))
    for kind in derivations():
        case.get(kind)


def test_memory_holds_nothing_for_a_derivation_without_its_needs() -> None:
    memory, case = DerivedMemory(), case_of()
    assert memory.give(derivations()[SequenceFacts], case, patient=True) is None


def test_what_was_given_is_given_again_only_while_it_holds() -> None:
    """What rests on a slow fact is another once somebody patient has made that anew."""
    slow = next(d for d in derivations().values() if d.kind is ListedReaches)
    assert slow.slow and ListedReaches in derivations()[WindowsFacts].inputs.values()
    case = case_of(listing(1, 2), NO_BACKUPS, patient=False)
    assert case.get(BackupStates) is case.get(BackupStates) is not None
    assert case.get(WindowsFacts) is None
    made = case.waiting().facts((ListedReaches, WindowsFacts))
    assert case.get(WindowsFacts) is made[WindowsFacts]
    case.drop(WindowsFacts)
    assert case.get(WindowsFacts) is None
