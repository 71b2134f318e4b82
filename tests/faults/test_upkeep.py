"""The daily look of the daemon at its own books, and the page that says what is proved."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mailgate.upkeep import Upkeep
from store.database import Database
from tests.faults.mails import Writer
from tests.faults.node import ROOT
from tests.faults.test_clock import take

GROUPS = {"S": 12, "I": 11, "P": 10, "F": 4, "D": 8, "E": 6, "O": 9}


def test_e6_books_that_do_not_balance_turn_health_red(sqlite_database: Database) -> None:
    told: list[tuple[str, bool, str]] = []
    upkeep = Upkeep(sqlite_database, lambda *words: told.append(words))
    take(sqlite_database, 1, datetime.now(UTC), Writer(1))
    upkeep.step()
    with sqlite_database.transaction() as tx:
        tx.conn.exec_driver_sql(
            "UPDATE inbox SET outcome = 'ticket', settled = received, due = NULL"
        )
    upkeep.step()
    assert [ok for _name, ok, _detail in told] == [True, False]
    assert "no ticket: mail 1" in told[1][2]


def test_every_case_is_on_the_page_with_tests_that_exist() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| ([A-Z]\d+) \|[^|]*\|([^|]*)\|([^|]*)\|$", page, re.M)
    assert [row[0] for row in rows] == [f"{g}{n + 1}" for g in GROUPS for n in range(GROUPS[g])]
    for name, tests, outcome in rows:
        assert outcome.split(":")[0].split(";")[0].strip() in ("met", "partly") or (
            outcome.strip().startswith("not met")
        ), name
        assert "::" in tests or "not met" in outcome, name
    missing = [
        f"{file}::{test}"
        for file, test in re.findall(r"`(tests/[a-z_/0-9]+\.py)::(\w+)`", page)
        if not re.search(rf"^(?:async )?(?:def|class) {test}\b", (ROOT / file).read_text(), re.M)
    ]
    assert missing == []
