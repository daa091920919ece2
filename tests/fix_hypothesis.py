"""No property is false because the machine was busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def pytest_configure() -> None:
    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")
