"""The fixtures of the stories that servers and browsers tell: one file a story, beside this folder.

They are imported here and not in every run: the tests of a parser need no browser.
"""
# ruff: noqa: E402 - what asserts is rewritten only when it is imported later

import pytest

pytest.register_assert_rewrite(
    *(f"tests.fix_{story}" for story in (
        "agent", "alertmanager", "backup_tools", "branches", "browser", "check", "dashboards",
        "dask", "debian", "drill", "find", "guides", "layouts", "odd_backups", "prometheus",
        "recovery", "repositories", "restores", "sftp", "soak", "stores", "syslog", "wal",
        "watched",
    ))
)  # fmt: skip

from tests.fix_agent import new_agent
from tests.fix_alertmanager import alertmanager
from tests.fix_backup_tools import barman_story, pgbackrest_story
from tests.fix_barman import newest_barman_story
from tests.fix_branches import branches
from tests.fix_browser import browse, browser
from tests.fix_check import archived, pristine
from tests.fix_dashboards import observed
from tests.fix_debian import new_debian_cluster
from tests.fix_drill import ground, pasts
from tests.fix_find import drop_stories
from tests.fix_guides import reader
from tests.fix_layouts import dead_primary, fetch_wal
from tests.fix_odd_backups import odd_backups
from tests.fix_prometheus import prometheus
from tests.fix_recovery import story
from tests.fix_repositories import samples
from tests.fix_restores import restore_stories, restore_story
from tests.fix_sftp import host
from tests.fix_soak import soak
from tests.fix_stores import bucket, object_store, proxy
from tests.fix_syslog import syslog
from tests.fix_wal import stories
from tests.fix_watched import watched

__all__ = (
    "alertmanager", "archived", "barman_story", "branches", "browse", "browser", "bucket",
    "dead_primary", "drop_stories", "fetch_wal", "ground", "host", "new_agent",
    "new_debian_cluster", "newest_barman_story", "object_store", "observed", "odd_backups",
    "pasts", "pgbackrest_story", "pristine", "prometheus", "proxy", "reader", "restore_stories",
    "restore_story", "samples", "soak", "stories", "story", "syslog", "watched",
)  # fmt: skip
