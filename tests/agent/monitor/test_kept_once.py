"""What many clusters have in common is kept once, and what failed holds nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from threading import Event

from agent.monitor.collectors import Collectors
from agent.monitor.exporter import samples_of
from agent.monitor.jobs import Jobs
from agent.monitor.watched import WatchedCluster
from tests.changing import CHECKS, configure


def test_samples_that_are_alike_are_one() -> None:
    clusters = [WatchedCluster(each, CHECKS) for each in configure("a", "b")]
    for cluster in clusters:
        cluster.judge()
    one, other = map(samples_of, clusters)
    for name in ("pitr_finding", "pitr_check_known"):
        common = [a is b for a, b in zip(one[name], other[name], strict=True) if a == b]
        assert common and all(common)
    for cluster in clusters:
        cluster.close()


def test_a_reading_that_failed_holds_nothing_of_what_it_read() -> None:
    (config,) = configure("a")
    collectors = Collectors(config, Jobs(config, lambda kinds: None).rounds, lambda: None)
    held: list[weakref.ref[Event]] = []

    def fail() -> None:
        buffer = Event()
        held.append(weakref.ref(buffer))
        raise OSError("broken")

    gc.disable()
    try:
        assert asyncio.run(collectors.read("log", fail)) is None
        assert held[0]() is None
    finally:
        gc.enable()
        collectors.close()
    assert collectors.readings["log"].error == "broken"
