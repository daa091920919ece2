"""Which time targets each major takes, asked of real servers: the table of `tests/data/times.json`.

    python -m tests.server_times          ask again, and write the table

A server says it without starting: `postgres -C recovery_target_time` runs the setting's check. The
table has a letter for each major from 13 to 18: `y` it takes the text, `n` it refuses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from agent.postgres.installation import Installation, list_installations
from tests import npm_servers

TABLE: Final = Path(__file__).parent / "data" / "times.json"
MAJORS: Final = range(13, 19)
DAY, CLOCK = "2026-11-28", "2026-11-28 14:29:59"
TEXTS: Final = (
    # dates
    DAY, "2026-1-2", "20261128", "261128", "2026-332", "2026332", "2026.332", "J2461373",
    "j2461373",
    "2026-Nov-28", "28-Nov-2026", "Nov-28-2026", "Nov 28 2026", "November 28, 2026", "28 nov 2026",
    "Nov 28, 2026", "Sat Nov 28 2026", "Saturday, 28 November 2026", "Sun Nov 28 2026",
    "11/28/2026",
    "28/11/2026", "2026/11/28", "11-28-2026", "28-11-2026", "28.11.2026", "11.28.2026",
    "2026.11.28",
    "11/28/26", "2026-02-29", "2024-02-29", "2026-02-30", "2026-13-01", "2026-00-10", "2026-11-31",
    "0000-01-01", "0001-01-01", "0001-01-01 BC", "4713-01-01 BC", "4714-11-24 BC", "4714-11-23 BC",
    "2026-11-28 AD", "2026-11-28 BC", "9999-12-31", "10000-01-01", "12026-11-28", "294276-12-31",
    "294277-01-01", "2026-11", "2026", "11-28", "Nov 2026", "26-11-28", "2026--11-28", "2026 11 28",
    "2026-11-28-", "2026_11_28", "",  " ", "junk", "2026-11-2x", "2026-Foo-28", "-2026-11-28",
    # clocks
    CLOCK, "2026-11-28 14:29", "2026-11-28 14", "2026-11-28 1:2:3", "2026-11-28 00:00:00",
    "2026-11-28 24:00:00", "2026-11-28 24:00:01", "2026-11-28 23:59:60", "2026-11-28 23:60:00",
    "2026-11-28 23:59:61", "2026-11-28 25:00:00", "2026-11-28 14:29:59.", "2026-11-28 14:29:59.5",
    "2026-11-28 14:29:59.123456", "2026-11-28 14:29:59.1234567", "2026-11-28 14:29:59.9999999",
    "2026-11-28 14:29:59,5", "2026-11-28 14:29.5", "2026-11-28 142959", "2026-11-28 1429",
    "2026-11-28 142959.5", "20261128 142959", "20261128T142959", "20261128T133511", "20261128T1429",
    "20261128T14", "2026-11-28T14:29:59", "2026-11-28t14:29:59", "2026-11-28 T14:29:59",
    "2026-11-28T 14:29:59", "2026-11-28T142959", "2026-11-28T14", "2026-11-28_14:29:59",
    "2026-11-28 14:29:59 PM", "2026-11-28 02:29:59 PM", "2026-11-28 2:29 PM", "2026-11-28 2:29PM",
    "2026-11-28 12:00 AM", "2026-11-28 13:00 AM", "2026-11-28 2 PM", "2026-11-28 02:29:59 p.m.",
    "14:29:59 2026-11-28", "14:29:59", "14:29", "2026-11-28 14:29:59 14:30:00", "2026-11-28 -1:00",
    "2026-11-28  14:29:59", " 2026-11-28 14:29:59 ", "2026-11-28\t14:29:59", "2026-11-28 14:29:-9",
    "2026-11-28 14:29:59:10", "2026-11-28 14.29.59", "2026-11-28 14h29", "2026-11-28, 14:29:59",
    "2026-11-28;14:29:59", "2026-11-28 at 14:29:59", "2026-11-28 on 14:29:59",
    "2026-11-28 allballs",
    "2026-11-28 noon", "2026-11-28 midnight", "2026-11-28 14:29:59 xyz", "2026-11-28 001429:59",
    # zones by number
    *(f"{CLOCK}{zone}" for zone in (
        "+00", "-00", "+0", "+1", "-1", "+01", "-03", "+0530", "+05:30", "+5:30", "-0330",
        "+05:30:15",
        "+053015", "+14", "+15", "+15:59", "+15:59:59", "+1559", "+16", "-16", "-15:59", "+16:00",
        "+24",
        "+99", "+0560", "+05:60", "+05:59:60", " +01", " + 01", "+ 01", "+01:", "+001", "+00100",
        "+1:2",
        "+12345", "+123456", "+01 +02", "-0", "+", "-", "+01Z", "+01:00:00", "+-01", "−03",
    )),
    # zones by name
    *(f"{CLOCK}{zone}" for zone in (
        "Z", " Z", "z", " z", " UTC", "UTC", " utc", " GMT", "GMT", " UT", " Zulu", " zulu", " UCT",
        " CET", " CEST", " MET", " EET", " EEST", " WET", " EST", " EDT", " MST", " PST", " PDT",
        " HST",
        " MSK", " BST", " IST", " JST", " AEST", " BRT", " CLT", " ART", " SAST", " NZST", " LMT",
        " -03",
        " EST5EDT", " est5edt", " CST6CDT", " PST8PDT", " Europe/Madrid", " europe/madrid",
        " EUROPE/MADRID", "Europe/Madrid", " America/Mexico_City",
        " America/Argentina/Buenos_Aires",
        " Etc/GMT+3", " Etc/UTC", " Asia/Kolkata", " US/Eastern", " Antarctica/Troll",
        " Mars/Olympus",
        " Europe/Nowhere", " Foo/Bar", " UTC+3", " UTC-3", " UTC+03:00", " GMT+1", " GMT-05:30",
        " XYZ3",
        " <+03>-3", " FOO-3BAR", " UTC0", " Factory", " Europe/Madrid CET",
        " Europe/Madrid +01", " DST", " EST DST", " UTC UTC", " Etc/GMT+16", " ROC", " NZ",
        " Japan",
        " Singapore", " GB", " PRC", " W-SU", " America/Sao_Paulo", " Africa/Cairo",
    )),
    "Nov 28 14:29:59 2026 UTC", "Sat Nov 28 14:29:59 UTC 2026", "Sat Nov 28 14:29:59 2026",
    "Sat, 28 Nov 2026 14:29:59 +0000", "Sat, 28 Nov 2026 14:29:59 GMT", "28 Nov 2026 14:29:59 UTC",
    "Nov 28 2026 2:29:59 PM UTC", "Sat Nov 28 02:29:59 PM CET 2026", "2026-11-28T14:29:59Z",
    "2026-11-28T14:29:59.123Z", "2026-11-28T14:29:59+00:00", "2026-11-28T14:29:59.5+01",
    "20261128T142959Z", "20261128T142959+01", "20261128T142959.5+0100", "20261128 142959 UTC",
    "2026-11-28T14:29:59 UTC", "2026-11-28 UTC", "2026-11-28 Europe/Madrid", "2026-11-28+01",
    "2026-11-28 +01", "2026-11-28Z", "UTC 2026-11-28 14:29:59", "+01 2026-11-28 14:29:59",
    # words
    "now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity", "+infinity", "Epoch",
    "infinity UTC", "epoch 12:00", "today 12:00", "tomorrow noon", "invalid", "current", "never",
    "1795876199", "1795876199.5", "@1795876199", "P1D", "1 day ago", "2026-W48-6", "2026W486",
    # Julian days, what follows a T, parts that are said twice or that lack
    "J 14:00", "2026-11-28 2026-11-29", "J 2461373-08", "J 2461373.5", "J 2461373.5 14:00",
    "J 2461373 14:29:59", "julian 2461373", "jd 2461373", "J", "2026-11-28 t 142959-03",
    "2026-11-28 t 14:29:59", "2026-11-28 t 142959", "2026-11-28 t 99", "2026-11-28 t", "t 14:29",
    "2026-11-28 t foo", "2026-11-28 142959-03", "2026-11-28 14:29:59 dst",
    "2026-11-28 14:29:59 dst dst", "Nov 28 2026 Nov 14:29:59", "2026-11-28 j 14:29",
    "Nov-Nov-2026", "2026-28--", "28-nov-26 14:29:59 bc", "0000-11-28 bc", "2026-11-28-2",
    "26 nov 2026.5", "nov 2026 28.5", "2026-11-28 j foo", "26-11-nov", "nov 26 2026 5",
    "2026 11 28.5", "26 11 nov 2026", "2026-11-28 14:29:59 14", "nov 28 26 14:29:59",
    "28 nov 2026 14h",
)  # fmt: skip


def servers() -> dict[int, Installation]:
    """One installation a major, of those that are here."""
    found = [*list_installations(), *npm_servers.fetched()]
    return {each.major: each for each in reversed(found) if each.major in MAJORS}


def takes(server: Installation, directory: Path, text: str, zone: str = "UTC") -> bool:
    """Ask a server whether its recovery_target_time may be `text`."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    settings = f"timezone = '{zone}'\nrecovery_target_time = '{quoted}'\n"
    (directory / "postgresql.conf").write_text(settings, encoding="utf-8")
    asked = [server.program("postgres"), "-C", "recovery_target_time", "-D", directory]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode != 0 and " FATAL: " not in answer.stderr:
        raise RuntimeError(f"{server.version} about {text!r}: {answer.stderr}")
    return answer.returncode == 0


def main() -> None:
    """Write the table."""
    found = servers()
    if missing := [major for major in MAJORS if major not in found]:
        sys.exit(f"no server of {missing}: type  make npm-servers")
    table: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        for text in dict.fromkeys(TEXTS):
            answers = (takes(found[major], directory, text) for major in MAJORS)
            table[text] = "".join("y" if answer else "n" for answer in answers)
    TABLE.write_text(json.dumps(table, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(table)} texts, {len(MAJORS)} majors")


if __name__ == "__main__":
    main()
