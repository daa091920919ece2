"""The account of a drill's server: one that owns nothing else.

What breaks out of a restored cluster has the rights of that account. Root takes, in this order: the
account that it is told, `pitr-drill` where somebody made it, a number of the range that systemd
gives to dynamic users and that nobody has at the moment, `nobody`. Whoever is not root drills as
himself: nobody else can be had, and it is said.
"""

from __future__ import annotations

import os
import pwd
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from agent.drill.errors import CannotDrill
from agent.postgres.account import Account, server_account
from parsers.sentences import message_of, tr

OWN_ACCOUNT: Final = "pitr-drill"
_NOBODY: Final = "nobody"
# "Dynamic service users" in systemd's UIDS-GIDS: nothing that lasts belongs to them.
DYNAMIC: Final = range(61184, 65520)
_TRIES: Final = 20


def drill_account(wanted: str | None = None) -> Account:
    """The account for a drill. Raises CannotDrill, with what to type instead."""
    if os.geteuid() != 0:
        return _own(wanted)
    if wanted is not None:
        return _named(wanted)
    for name in (OWN_ACCOUNT, None, _NOBODY):
        account = _dynamic() if name is None else _existing(name)
        if account is not None:
            return account
    raise CannotDrill(
        tr(
            "root needs another account for the server: useradd --system {account}, or name one "
            "with --drill-user",
            account=OWN_ACCOUNT,
        )
    )


def _own(wanted: str | None) -> Account:
    try:
        account = server_account()
    except LookupError as error:
        raise CannotDrill(message_of(error)) from None
    if wanted not in (None, account.name):
        raise CannotDrill(
            tr(
                "{account} cannot become {wanted}: drill as root, or as {wanted} (sudo -u "
                "{wanted}); an agent hands its drills to pitr-drill.socket",
                account=account.name,
                wanted=wanted,
            )
        )
    return account


def _named(wanted: str) -> Account:
    account = _existing(wanted)
    if account is None:
        raise CannotDrill(
            tr("--drill-user {name}: no such account: useradd --system {name}", name=wanted)
        )
    if account.uid == 0:
        raise CannotDrill(
            tr("--drill-user {name}: PostgreSQL does not run as root: name another", name=wanted)
        )
    return account


def _existing(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, drop=True)


def _dynamic() -> Account | None:
    """A number without a name, a process or a right; None where the kernel has no such number."""
    busy = set(_uids_of_processes())
    for uid in random.sample(DYNAMIC, _TRIES):
        if uid not in busy and not _has_name(uid):
            account = Account(name=f"uid {uid}", uid=uid, gid=uid, drop=True)
            return account if account.can_enter(Path("/")) else None
    return None


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _uids_of_processes() -> Iterator[int]:
    for process in psutil.process_iter():
        try:
            yield process.uids().real
        except psutil.Error:
            continue


def company_of(account: Account) -> str | None:
    """What else of this machine the account has in its hands, in words; None: nothing known."""
    if not account.drop:
        return tr("the server runs as {name}, who drills", name=account.name)
    if account.uid in set(_uids_of_processes()):
        return tr("the server runs as {name}, who runs other processes here", name=account.name)
    return None
