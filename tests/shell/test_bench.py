"""The bench's stream of mail and its timing of stages; nothing here depends on how fast we are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.bomb import Phase, Waits
from bench.corpus import APART, Kind, Mix, digest, make
from bench.peers import Load, Result
from bench.stages import measure
from bench.tables import MAILGATE, ROUNDUP, SINK, bomb_ratios, ratios


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert digest(make(20, seed=3)) == digest(make(20, seed=3))
    assert digest(make(20, seed=3)) != digest(make(20, seed=4))


def test_the_mix_has_its_shares_and_sizes() -> None:
    stream = make(100)
    assert Counter(mail.kind for mail in stream) == {
        Kind.PLAIN: 60,
        Kind.REPLY: 25,
        Kind.FILE: 10,
        Kind.BIG: 5,
    }
    sizes = {kind: [len(m.raw) for m in stream if m.kind is kind] for kind in Kind}
    assert all(1000 <= size <= 5000 for size in sizes[Kind.PLAIN])
    assert all(12_000 <= size <= 20_000 for size in sizes[Kind.REPLY])
    assert all(size >= 100_000 for size in sizes[Kind.FILE])
    assert all(size >= 1_000_000 for size in sizes[Kind.BIG])


def test_replies_answer_requests_of_the_same_sender_that_came_long_before() -> None:
    stream = make(200)
    places = {mail.message_id: place for place, mail in enumerate(stream)}
    replies = [mail for mail in stream if mail.kind is Kind.REPLY]
    assert len(replies) == 50
    for reply in replies:
        asked = stream[places[reply.answers]]
        assert not asked.answers
        assert asked.sender == reply.sender
        assert f"In-Reply-To: {asked.message_id}\r\n".encode() in reply.raw
        assert places[reply.message_id] - places[reply.answers] >= APART


def test_the_stages_are_timed_on_the_way_that_mail_really_takes(tmp_path: Path) -> None:
    stages = {stage.name: stage for stage in measure(make(5), tmp_path)}
    assert {"parse", "facts", "decide", "apply", "compose", "commit"} <= stages.keys()
    assert all(stage.ms > 0 for stage in stages.values())
    assert stages["apply"].statements > 1
    assert stages["decide"].statements == 0


def test_ratios_are_taken_round_by_round() -> None:
    load = Load(mix=Mix.PLAIN, connections=50, mails=10)
    batch = Load(mix=Mix.PLAIN, connections=0, mails=10)
    found = ratios(
        {
            (SINK, load): [Result(accept=100), Result(accept=50)],
            (MAILGATE, load): [Result(accept=200, settle=90), Result(accept=200, settle=30)],
            (ROUNDUP, batch): [Result(settle=30), Result(settle=30)],
        }
    )
    assert [(r.lowest, r.highest) for r in found] == [(2, 4), (1, 3)]
    assert found[0].median == pytest.approx(3)


def test_a_bomb_is_compared_with_the_calm_of_its_own_round() -> None:
    calm, sender, domain = (Waits(p50=0.01, p95=p95) for p95 in (0.02, 0.03, 0.04))
    found = bomb_ratios([{Phase.CALM: calm, Phase.SENDER: sender, Phase.DOMAIN: domain}] * 2)
    assert [r.median for r in found] == pytest.approx([1.5, 2])
    assert bomb_ratios([]) == []
