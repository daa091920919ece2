"""Tablespaces outside the data directory, as a backup that has places of its own brings them.

pg_basebackup's plain format, pg_combinebackup and a standby need others than the primary's, on one
machine. A backup's copy of them lies beside it (`world.spaces_of`); `World.lay_out` puts it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from parsers.files.backup_label import parse_backup_label
from tests.truth.plan import Step
from tests.truth.world import World, copy, spaces_of

Moves = Mapping[Path, Path]  # a location -> where it goes


def new_places(world: World, step: Step, kind: str = "") -> Moves:
    """Of the living server's tablespaces, for this step; `kind` tells them from others of it."""
    query = "SELECT pg_tablespace_location(oid) FROM pg_tablespace ORDER BY oid"
    outside = [row[0] for row in world.cluster.sql(query) if row[0].startswith("/")]
    return _numbered(world, f"{kind}{step.id}", outside)


def _numbered(world: World, prefix: str, places: Iterable[str]) -> Moves:
    return {Path(place): world.spaces / f"{prefix}x{number}" for number, place in enumerate(places)}


def mapping(moves: Moves) -> list[str]:
    """What pg_basebackup and pg_combinebackup are told."""
    return [f"--tablespace-mapping={old}={new}" for old, new in moves.items()]


def keep(world: World, moves: Moves, backup: Path) -> None:
    """Take what lies at the new places for the backup's copy."""
    kept = world.account.make_directory(spaces_of(backup))
    for place in moves.values():
        copy(place, kept / place.name)
        world.space_names.append(place.name)


def move_in(world: World, step: Step, source: Path, data: Path) -> Moves:
    """Give a copy of a plain backup tablespaces of its own: links, tablespace_map and files."""
    links = {link: link.readlink() for link in (data / "pg_tblspc").iterdir() if link.is_symlink()}
    moves = _numbered(world, f"s{step.id}", map(str, links.values()))
    for link, old in links.items():
        copy(spaces_of(source) / old.name, moves[old])
        link.unlink()
        link.symlink_to(moves[old])
    places = data / "tablespace_map"
    if places.exists():
        lines = [line.split(" ", 1) for line in places.read_text().splitlines()]
        places.write_text("".join(f"{oid} {moves.get(Path(old), old)}\n" for oid, old in lines))
    return moves


def follow_alone(world: World, source: Path) -> bool:
    """Tell whether a standby of this backup would meet no CREATE TABLESPACE in the archive.

    It would make it where the primary has it.
    """
    label = parse_backup_label((source / "backup_label").read_bytes())
    made = [step.id for step in world.plan.steps if step.kind == "tablespace_outside"]
    return all(
        world.marks[each].after_lsn <= label.start_lsn for each in made if each in world.marks
    )
