"""What to type about a server that does not let the agent in."""

from __future__ import annotations

import pytest

from agent.postgres.account import own_name
from agent.try_config.login import what_to_type


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        (
            'FATAL:  Peer authentication failed for user "pitr_agent"',
            ["pg_ident.conf, a line:  pitr  ME  pitr_agent",
             "pg_hba.conf, above all others:  local  all  pitr_agent  peer map=pitr",
             "psql -c 'SELECT pg_reload_conf()'"],
        ),
        (
            'FATAL:  no pg_hba.conf entry for host "[local]", user "eyes", database "postgres"',
            ["pg_hba.conf:  local  all  eyes  peer map=pitr", "pg_ident.conf:  pitr  ME  eyes",
             "psql -c 'SELECT pg_reload_conf()'"],
        ),
        (
            'no pg_hba.conf entry for host "10.0.0.7", user "eyes", database "x", no encryption',
            ["pg_hba.conf:  host  all  eyes  10.0.0.7/32  scram-sha-256",
             "psql -c 'SELECT pg_reload_conf()'"],
        ),
        (
            'no pg_hba.conf entry for host "::1", user "eyes", database "x", SSL encryption',
            ["pg_hba.conf:  host  all  eyes  ::1/128  scram-sha-256",
             "psql -c 'SELECT pg_reload_conf()'"],
        ),
        ('FATAL:  role "pitr_agent" does not exist',
         ["psql -f packaging/sql/role.sql, as a superuser"]),
        ("fe_sendauth: no password supplied",
         ["~ME/.pgpass, mode 0600, a line:  HOST:PORT:*:ROLE:PASSWORD",
          r"and as a superuser, if it has none yet:  \password ROLE"]),
        ("FATAL:  la autentificación falló", ["try  psql  with the same dsn, as this account"]),
    ],
)  # fmt: skip
def test_the_lines_fit_the_refusal(message: str, lines: list[str]) -> None:
    assert list(what_to_type(message)) == [line.replace("ME", own_name()) for line in lines]
