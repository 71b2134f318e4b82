"""Delivery reports that follow no standard are read as those that do (reliability: L4)."""

from __future__ import annotations

import pytest

from mailgate.core.parse import parse
from tests.core.bounced_mails import DEAD, OURS, SAMPLES, Sample


@pytest.mark.parametrize("name", SAMPLES)
def test_it_tells_who_was_not_reached_and_why(name: str) -> None:
    sample: Sample = SAMPLES[name]
    got = parse(sample.raw)
    assert [r.recipient for r in got.reports] == [DEAD]
    (report,) = got.reports
    assert (report.action, report.status) == (sample.action, sample.status)
    assert sample.words in report.diagnostic
    assert got.reported_id == (OURS if sample.returned else "")
