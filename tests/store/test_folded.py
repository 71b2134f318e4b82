"""Addresses compared in SQL: as the core compares them, on both engines."""

from __future__ import annotations

import pytest
from sqlalchemy import literal, select

from mailgate.core.policy import folded
from store.columns import Folded
from store.database import Database


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("Rita@Customer.Example", id="capitals"),
        pytest.param("\u212aate@example.org", id="a Kelvin sign is no k"),
        pytest.param("\u00c9lodie@example.org", id="a capital letter with an accent stays"),
        pytest.param("\u0130rem@example.org", id="a Turkish capital stays one character"),
    ],
)
def test_sql_folds_an_address_as_the_core_does(database: Database, address: str) -> None:
    with database.reading() as tx:
        said = tx.conn.execute(select(Folded(literal(address)))).scalar_one()
    assert said == folded(address)
