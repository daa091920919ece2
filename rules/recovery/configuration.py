"""What a restore lacks whose backup has no postgresql.conf: Debian and Ubuntu keep it elsewhere.

Follows pg_createcluster(1): postgresql.conf, pg_hba.conf, pg_ident.conf and conf.d lie in
/etc/postgresql/VERSION/NAME, and the first names the directories of its own cluster.
"""

from __future__ import annotations

from typing import Final

from parsers.sentences import tr
from rules.model.facts import BackupFacts

# What a postgresql.conf of another place may not bring along: each leads to that place.
PLACES: Final = ("data_directory", "hba_file", "ident_file", "external_pid_file")


def configuration_wanted(backup: BackupFacts) -> str | None:
    """What to do about a backup that has no postgresql.conf; None: it has one, or may have."""
    comment = configuration_comment(backup)
    return comment.removeprefix("# ").replace("\n# ", " ") if comment else None


def configuration_comment(backup: BackupFacts) -> str:
    """The same as lines of a configuration file; empty for None.

    The name of the cluster is that of the first.
    """
    if backup.has_configuration:
        return ""
    *places, last = PLACES
    return tr(
        "# this backup has no postgresql.conf: copy it, pg_hba.conf, pg_ident.conf and conf.d into"
        " the\n# restored directory, and leave out its lines {lines} and\n# {last}; Debian and"
        " Ubuntu have them in /etc/postgresql/{version}/main, and pg_ctl in"
        "\n# /usr/lib/postgresql/{version}/bin",
        lines=", ".join(places),
        last=last,
        version=backup.major or "VERSION",
    )
