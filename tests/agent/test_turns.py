"""Turns: fair between clients, bounded, and never lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.turns import Crowded, Turns, client_at
from tests.fix_tools import PATIENCE_SECONDS


def run(order: list[tuple[str, bool]], *, per_client: int = 4, waiting: int = 8) -> list[str]:
    """Who is served, in order, of those who ask while the only turn is held; `!` the refused."""
    served: list[str] = []

    async def ask(turns: Turns, client: str, first: bool) -> None:
        try:
            async with turns.turn(client, first=first):
                served.append(client)
                await asyncio.sleep(0)
        except Crowded:
            served.append(f"!{client}")

    async def all_of_them() -> None:
        turns = Turns(1, waiting_per_client=per_client, waiting=waiting)
        async with turns.turn("holder"):
            tasks = [asyncio.create_task(ask(turns, *each)) for each in order]
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_SECONDS)
        await asyncio.wait_for(ask(turns, "last", False), PATIENCE_SECONDS)

    asyncio.run(all_of_them())
    assert served.pop() == "last", "no turn is lost"
    return served


def test_a_client_who_asks_much_waits_behind_himself() -> None:
    asked = [("flood", False)] * 3 + [("other", False), ("third", False)]
    assert run(asked) == ["flood", "other", "third", "flood", "flood"]


def test_those_who_come_first_do() -> None:
    assert run([("a", False), ("a", False), ("a", True)]) == ["a", "a", "a"]
    assert run([("a", False), ("b", True)]) == ["b", "a"]


def test_what_has_no_room_is_refused_at_once() -> None:
    assert run([("a", False)] * 4, per_client=2) == ["!a", "!a", "a", "a"]


def test_the_longest_queue_gives_way_to_a_shorter_one() -> None:
    asked = [("a", False)] * 3 + [("b", False)]
    assert sorted(run(asked, waiting=3)) == ["!a", "a", "a", "b"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_everybody_is_answered_once(
    order: list[tuple[str, bool]], per_client: int, waiting: int
) -> None:
    served = run(order, per_client=per_client, waiting=waiting)
    assert sorted(name.lstrip("!") for name in served) == sorted(name for name, _ in order)


@pytest.mark.parametrize("told_first", [False, True])
def test_a_turn_of_someone_who_left_is_handed_on(told_first: bool) -> None:
    async def story() -> None:
        turns = Turns(1, waiting_per_client=4, waiting=4)

        async def wait() -> None:
            async with turns.turn("a"):
                pass

        async with turns.turn("holder"):
            leaving = asyncio.create_task(wait())
            await asyncio.sleep(0)
            if not told_first:
                leaving.cancel()
                await asyncio.sleep(0)
        leaving.cancel()  # in the same step in which its turn came
        await asyncio.gather(leaving, return_exceptions=True)
        await asyncio.wait_for(wait(), PATIENCE_SECONDS)

    asyncio.run(story())


def test_a_host_is_one_client_whatever_address_of_its_network_it_takes() -> None:
    assert client_at("2001:db8::1") == client_at("2001:db8::ffff") != client_at("2001:db8:1::1")
    assert client_at("::ffff:10.0.0.1") == client_at("10.0.0.1") != client_at("10.0.0.2")
