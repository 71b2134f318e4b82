"""When a sender's or a domain's new matters are gathered on one ticket (L9)."""

from __future__ import annotations

import pytest

from mailgate.core.decision import Flood
from mailgate.core.flood import Gathering, judge
from mailgate.core.policy import Policy

POLICY = Policy(flood_mails=50, flood_domain_mails=300, flood_minutes=10)
WHO = "bomber@mass.test"
DOMAIN = "the domain mass.test"


def gathering(who: str, mails: int, ticket: int | None, domain: str = "") -> Gathering:
    return Gathering(
        ticket=ticket,
        domain=domain,
        subject=f"Mail flood from {who}",
        reason=f"a flood: {mails} mails from {who} within 10 minutes before it",
    )


@pytest.mark.parametrize(
    ("flood", "found"),
    [
        pytest.param(Flood(), None, id="the first mail"),
        pytest.param(Flood(of_sender=49, of_domain=299), None, id="the last that is none (L9)"),
        pytest.param(
            Flood(of_sender=50, of_domain=50),
            gathering(WHO, 50, None),
            id="the first over the threshold opens the ticket (L9)",
        ),
        pytest.param(
            Flood(of_sender=51, of_domain=51, ticket=1050),
            gathering(WHO, 51, 1050),
            id="later ones are gathered (L9)",
        ),
        pytest.param(
            Flood(of_sender=3, of_domain=300),
            gathering(DOMAIN, 300, None, "mass.test"),
            id="a domain's ticket has no requester (L9)",
        ),
        pytest.param(
            Flood(of_sender=3, of_domain=301, domain_ticket=1300),
            gathering(DOMAIN, 301, 1300, "mass.test"),
            id="strangers of one domain are gathered for agents (L9)",
        ),
        pytest.param(
            Flood(of_sender=60, of_domain=400, ticket=1050, domain_ticket=1300),
            gathering(WHO, 60, 1050),
            id="a sender's own flood goes first (L9)",
        ),
        pytest.param(
            Flood(of_sender=60, of_domain=400, domain_ticket=1300),
            gathering(WHO, 60, None),
            id="a sender never gets onto the domain's ticket by their own flood (L9)",
        ),
        pytest.param(
            Flood(of_sender=2, of_domain=51, ticket=1050, domain_ticket=1300),
            None,
            id="the flood is over although its tickets are there (L9)",
        ),
    ],
)
def test_a_flood_is_gathered(flood: Flood, found: Gathering | None) -> None:
    assert judge(flood, POLICY, WHO) == found


@pytest.mark.parametrize(
    ("policy", "flood"),
    [
        pytest.param(Policy(flood_mails=0), Flood(of_sender=9999, of_domain=200), id="of senders"),
        pytest.param(
            Policy(flood_mails=0, flood_domain_mails=0),
            Flood(of_sender=9999, of_domain=9999),
            id="of both",
        ),
        pytest.param(
            Policy(flood_domain_mails=0), Flood(of_sender=9, of_domain=9999), id="of domains"
        ),
    ],
)
def test_0_is_never_a_flood(policy: Policy, flood: Flood) -> None:
    assert judge(flood, policy, WHO) is None


def test_a_mail_of_nobody_is_no_flood() -> None:
    assert judge(Flood(of_sender=9999, of_domain=9999), POLICY, "") is None
