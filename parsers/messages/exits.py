"""Processes that end, and the server's shutdown."""

from __future__ import annotations

from typing import Final

from parsers.messages.message import BACKGROUND, POSTMASTER, Message

MESSAGES: Final = (
    Message(
        id="%s (PID %d) exited with exit code %d",
        event="process_exited",
        fields=("process", "pid", "exit_code"),
        process=POSTMASTER,
        sample="startup process (PID 455019) exited with exit code 1",
    ),
    Message(
        id="%s (PID %d) was terminated by signal %d: %s",
        event="process_killed",
        fields=("process", "pid", "signal", "signal_name"),
        process=POSTMASTER,
        sample="startup process (PID 455019) was terminated by signal 9: Killed",
    ),
    Message(
        id="aborting startup due to startup process failure",
        event="startup_failed_early",
        process=POSTMASTER,
        sample="aborting startup due to startup process failure",
    ),
    Message(
        id="shutting down due to startup process failure",
        event="startup_failed",
        majors=range(14, 19),
        process=POSTMASTER,
        sample="shutting down due to startup process failure",
    ),
    Message(
        id="terminating any other active server processes",
        event="terminating_others",
        process=POSTMASTER,
        sample="terminating any other active server processes",
    ),
    Message(
        id="all server processes terminated; reinitializing",
        event="reinitializing",
        process=POSTMASTER,
        sample="all server processes terminated; reinitializing",
    ),
    Message(
        id="received smart shutdown request",
        event="shutdown_requested",
        constants={"mode": "smart"},
        process=POSTMASTER,
        sample="received smart shutdown request",
    ),
    Message(
        id="received fast shutdown request",
        event="shutdown_requested",
        constants={"mode": "fast"},
        process=POSTMASTER,
        sample="received fast shutdown request",
    ),
    Message(
        id="received immediate shutdown request",
        event="shutdown_requested",
        constants={"mode": "immediate"},
        process=POSTMASTER,
        sample="received immediate shutdown request",
    ),
    Message(id="shutting down", event="shutting_down", process=BACKGROUND, sample="shutting down"),
    Message(
        id="database system is shut down",
        event="server_shut_down",
        process=BACKGROUND,
        sample="database system is shut down",
    ),
    Message(
        id="abnormal database system shutdown",
        event="abnormal_shutdown",
        process=POSTMASTER,
        sample="abnormal database system shutdown",
    ),
    Message(
        id="performing immediate shutdown because data directory lock file is invalid",
        event="lockfile_invalid",
        process=POSTMASTER,
        sample="performing immediate shutdown because data directory lock file is invalid",
    ),
)
