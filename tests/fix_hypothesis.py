"""No property is false because the machine was busy; in CI the same tree gets the same examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.fix_tools import IN_CI


def pytest_configure() -> None:
    settings.register_profile(
        "patient",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=IN_CI,
    )
    settings.load_profile("patient")
