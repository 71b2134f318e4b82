"""Authentication-Results as mail servers really write them, and as 475 real mails carry them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailgate.core.authres import judge, parse_results, trusted_recipients
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Trust
from tests.core.samples import POLICY

OURS = "Received: from mail.example.com by mx.example.org; Mon, 4 May 2026 09:30:00 +0000\n"
GMAIL = """Authentication-Results: mx.google.com;
       dkim=pass header.i=@example.com header.s=20260101 header.b="qTHm/a+c";
       arc=pass (i=1 spf=pass spfdomain=example.com dkim=pass dkdomain=example.com dmarc=pass);
       spf=pass (google.com: domain of rita@example.com designates 192.0.2.1 as permitted
 sender) smtp.mailfrom=rita@example.com;
       dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=example.com
"""
M365 = """Authentication-Results: spf=pass (sender IP is 192.0.2.1)
 smtp.mailfrom=example.com; dkim=pass (signature was verified)
 header.d=example.com;dmarc=pass action=none header.from=example.com;compauth=pass reason=100
"""
M365_ID = M365.replace("Results: ", "Results: mx.example.org 1; ")
RSPAMD = """Authentication-Results: mx.example.org;
\tdkim=pass header.d=example.com header.s=s1 header.b="AB/cd+=";
\tspf=pass (mx.example.org: domain of rita@example.com designates 2001:db8::1 as permitted sender)
 smtp.mailfrom=rita@example.com;
\tdmarc=pass (policy=reject) header.from=example.com;
\tarc=none
"""
RSPAMD_LOGIN = """Authentication-Results: mx.example.org;
\tauth=pass smtp.auth=rita@example.com smtp.mailfrom=rita@example.com
"""
OPENDMARC = """Authentication-Results: mx.example.org; dmarc=pass (p=reject dis=none)
 header.from=example.com
Authentication-Results: mx.example.org;
\tdkim=pass (2048-bit key; unprotected) header.d=example.com header.i=@example.com
 header.a=rsa-sha256 header.s=s1 header.b=k3+f/Qa=;
\tdkim-atps=neutral
"""
OPENDKIM = OPENDMARC.partition("com\n")[2]
FASTMAIL = """Authentication-Results: mx.example.org;
    bimi=skipped (DMARC Policy is not at enforcement);
    arc=none (no signatures found);
    dkim=pass (2048-bit rsa key sha256) header.d=example.com header.i=@example.com
      header.b=ab1cd2EF header.a=rsa-sha256 header.s=s1 x-bits=2048;
    dmarc=pass policy.published-domain-policy=none
      policy.applied-disposition=none policy.evaluated-disposition=none
      (p=none,d=none,d.eval=none) policy.policy-from=p header.from=example.com;
    iprev=pass smtp.remote-ip=192.0.2.1 (mail.example.com);
    spf=pass smtp.mailfrom=rita@example.com smtp.helo=mail.example.com;
    x-aligned-from=pass (Address match);
    x-ptr=pass smtp.helo=mail.example.com policy.ptr=mail.example.com;
    x-return-mx=pass header.domain=example.com policy.is_org=yes
      (MX Records found: mx1.example.com,mx2.example.com);
    x-tls=pass smtp.version=TLSv1.3 smtp.cipher=TLS_AES_256_GCM_SHA384 smtp.bits=256/256;
    x-vs=clean score=-100 state=0
"""
POLICYD = """Authentication-Results: mx.example.org; spf=pass (mailfrom) smtp.mailfrom=example.com
 (client-ip=192.0.2.1; helo=mail.example.com; envelope-from=rita@example.com; receiver=<UNKNOWN>)
"""
EXIM = """Authentication-Results: mx.example.org;
\tiprev=pass (mail.example.com) smtp.remote-ip=192.0.2.1;
\tspf=pass smtp.mailfrom=example.com;
\tdkim=pass header.d=example.com header.s=s1 header.a=ed25519-sha256;
\tdmarc=pass header.from=example.com
"""
EXIM_LOGIN = """Authentication-Results: mx.example.org;
\tauth=pass (PLAIN) smtp.auth=rita@example.com
"""
AMAVIS = """Authentication-Results: mx.example.org (amavisd-new); dkim=pass (2048-bit key)
 header.d=example.com header.b="Ab+/="; dkim=pass (1024-bit key) header.d=esp.test
"""
FORWARDED = """Authentication-Results: mx.example.org; dmarc=fail (p=quarantine dis=none)
 header.from=example.com
"""


@pytest.mark.parametrize(
    ("head", "pinned", "expected"),
    [
        pytest.param(GMAIL, "mx.google.com", Stamp.ALIGNED, id="Gmail"),
        pytest.param(M365_ID, "mx.example.org", Stamp.ALIGNED, id="Microsoft 365 with an id"),
        pytest.param(M365, "mx.example.org", Stamp.ABSENT, id="Microsoft 365 without one (A7)"),
        pytest.param(M365, "spf=pass", Stamp.ABSENT, id="nothing else becomes its id (A7)"),
        pytest.param(RSPAMD, "mx.example.org", Stamp.ALIGNED, id="rspamd"),
        pytest.param(RSPAMD_LOGIN, "mx.example.org", Stamp.ALIGNED, id="rspamd, a login"),
        pytest.param(OPENDMARC, "mx.example.org", Stamp.ALIGNED, id="OpenDKIM and OpenDMARC"),
        pytest.param(OPENDKIM, "mx.example.org", Stamp.ALIGNED, id="OpenDKIM alone"),
        pytest.param(FASTMAIL, "mx.example.org", Stamp.ALIGNED, id="Fastmail"),
        pytest.param(POLICYD, "mx.example.org", Stamp.NONE, id="policyd-spf: SPF alone (A7)"),
        pytest.param(EXIM, "mx.example.org", Stamp.ALIGNED, id="Exim"),
        pytest.param(EXIM_LOGIN, "mx.example.org", Stamp.ALIGNED, id="Exim, a login"),
        pytest.param(AMAVIS, "mx.example.org", Stamp.ALIGNED, id="amavis"),
        pytest.param(FORWARDED, "mx.example.org", Stamp.FAILED, id="through a list"),
        pytest.param(GMAIL, "mx.example.org", Stamp.ABSENT, id="Gmail's word, not pinned (A6)"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_what_servers_write(head: str, pinned: str, expected: Stamp, newline: str) -> None:
    policy = replace(POLICY, trust=Trust(authserv_id=pinned))
    raw = f"{head}{OURS}From: Rita <rita@example.com>\nSubject: x\n\nHello\n"
    stamp, reason = judge(parse(raw.replace("\n", newline).encode()), Envelope(), policy)
    assert stamp is expected, reason
    raw = raw.replace("rita@example.com>", "rita@agents.test>")
    assert judge(parse(raw.encode()), Envelope(), policy)[0] is not Stamp.ALIGNED


UNREADABLE = {
    "bad_date_header.eml",  # of 2009: results without a method, as in no standard
    "postfix-bounce.eml",  # Microsoft 365, without an id
}


@pytest.mark.timeout(60)
def test_every_real_header_is_read(corpus: Path) -> None:
    """None raises, what follows the grammar is read, and its author can be judged by it."""
    read: list[str] = []
    broken = set()
    for file in sorted(corpus.rglob("*.eml")):
        mail = parse(file.read_bytes())
        for value in (v for name, v in mail.trail if name == "authentication-results"):
            header = parse_results(value)
            read.append(file.name)
            broken |= {file.name} if header.broken else set()
            trust = Trust(authserv_id=header.authserv_id or "-", hops=100, below=True)
            stamp, reason = judge(mail, Envelope(), replace(POLICY, trust=trust))
            judged = not header.broken and mail.sender is not None
            assert (stamp is not Stamp.ABSENT) == judged, (file, reason)
        assert all("@" in address for address in trusted_recipients(mail, Envelope(), POLICY))
    assert len(read) == 14
    assert broken == UNREADABLE
