"""Who wrote a mail: the one address in From, and a login that proves it."""

from __future__ import annotations

import pytest

from mailgate.core.identify import identify
from mailgate.core.mail import Address, Envelope, ParsedMail
from tests.core.samples import ANA, POLICY, mail

SEVERAL = (Address(addr="ana@agents.test"), Address(addr="mallory@evil.test"))


@pytest.mark.parametrize(
    ("given", "login", "author", "agent", "proofs"),
    [
        pytest.param(mail(), "", "rita@customer.test", "", (), id="a customer"),
        pytest.param(mail(""), "", "", "", (), id="no From is nobody"),
        pytest.param(mail("", from_=SEVERAL), "", "", "", (), id="several authors are nobody (A1)"),
        pytest.param(
            mail("", from_=SEVERAL), ANA.address, "", "", (), id="a login names no author"
        ),
        pytest.param(mail(ANA.address), "", ANA.address, ANA.address, (), id="From proves nothing"),
        pytest.param(
            mail("ana@phone.test"), "", "ana@phone.test", ANA.address, (), id="an agent's alias"
        ),
        pytest.param(
            mail(ANA.address),
            "Ana@Agents.test",
            ANA.address,
            ANA.address,
            ("login",),
            id="a login that is the address in From",
        ),
        pytest.param(
            mail(ANA.address), "ben@agents.test", ANA.address, ANA.address, (), id="another's login"
        ),
        pytest.param(
            mail("ana@phone.test"),
            ANA.address,
            "ana@phone.test",
            ANA.address,
            (),
            id="a login proves one address, not its aliases",
        ),
        pytest.param(
            mail("mallory@evil.test", reply_to=(ANA.address,)),
            "",
            "mallory@evil.test",
            "",
            (),
            id="Reply-To is no identity (A5)",
        ),
        pytest.param(
            mail("mallory@evil.test", headers={"sender": (ANA.address,)}),
            "",
            "mallory@evil.test",
            "",
            (),
            id="Sender is no identity (A1)",
        ),
    ],
)
def test_identify(
    given: ParsedMail, login: str, author: str, agent: str, proofs: tuple[str, ...]
) -> None:
    found = identify(given, Envelope(mail_from=ANA.address, login=login), POLICY)
    assert (found.address, found.agent.address if found.agent else "") == (author, agent)
    assert found.proofs == proofs


def test_the_display_name_is_kept_for_display() -> None:
    assert identify(mail(), Envelope(), POLICY).name == "Rita"
