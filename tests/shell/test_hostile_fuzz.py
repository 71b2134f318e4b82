"""The fuzzer itself: repeatable, quiet on what is sound, loud on a fault (P10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse
from mailgate.parsing import Parsers
from tests.fuzz import probe
from tests.fuzz.campaign import KEPT, Campaign
from tests.fuzz.mutations import mutate
from tests.fuzz.probe import Probe, measure, rewritten
from tests.fuzz.seeds import own

SEEDS = list(own())
MAIL = b"From: rita@customer.test\r\nSubject: a b\r\n c\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


def test_p10_a_seed_gives_the_same_mails_again() -> None:
    one, two = Random("7 0"), Random("7 0")  # noqa: S311
    first = [mutate(one, SEEDS[i % len(SEEDS)], SEEDS) for i in range(50)]
    assert first == [mutate(two, SEEDS[i % len(SEEDS)], SEEDS) for i in range(50)]
    assert len(set(first)) > 40


def test_p10_mutations_of_our_own_mails_have_no_fault() -> None:
    chance = Random(20260504)  # noqa: S311
    for i in range(150):
        raw = mutate(chance, SEEDS[i % len(SEEDS)], SEEDS)
        assert measure(raw).faults == (), raw


def test_p10_a_campaign_counts_and_finds_nothing(parsers: Parsers, tmp_path: Path) -> None:
    told: list[str] = []
    campaign = Campaign(parsers=parsers, folder=tmp_path, tell=told.append)
    campaign.bombs(["levels"])
    assert (campaign.tally.bombs, campaign.tally.set_aside) == (4, 4)
    assert (told, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Probe(read=0.1, faults=("read: ValueError: x",)), "read: ValueError: x"),
        (Probe(read=6.0), "time: a reading over 5 s in a batch"),
        (Probe(read=0.1, html=6.0), "time: cleaning its HTML takes over 5 s"),
        (Probe(read=0.1, outside=2.0), "time: over 1 s in the daemon itself"),
        (Probe(read=0.1, memory=300 << 20), "memory: over 256 MiB"),
    ],
)
def test_p10_a_fault_is_told_once_and_written_down(
    parsers: Parsers, tmp_path: Path, fault: Probe, said: str
) -> None:
    told: list[str] = []
    campaign = Campaign(parsers=parsers, folder=tmp_path / "found", tell=told.append)
    for number in range(KEPT + 3):
        campaign._judge(b"%d" % number, fault, "mail")
    assert campaign.tally.findings == {said: KEPT + 3}
    assert len(told) == 1
    assert len(list((tmp_path / "found").glob("*.eml"))) == KEPT


def test_p10_an_exception_and_a_lost_line_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(raw: bytes, languages: tuple[str, ...]) -> ParsedMail:
        raise ValueError("planted")

    monkeypatch.setattr(probe, "read_mail", fail)
    assert measure(MAIL).faults == ("read: ValueError: planted",)
    monkeypatch.setattr(probe, "read_mail", lambda raw, _: parse(raw))
    assert "strip: lines lost or doubled" in measure(MAIL).faults


def test_p10_other_spellings_are_other_octets() -> None:
    spellings = dict(rewritten(MAIL))
    assert len({MAIL, *spellings.values()}) == 1 + len(spellings) == 5
