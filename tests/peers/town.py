"""People with mail programs, the real Postfix between them, and a Dovecot where all read mail.

    with Dovecot() as dovecot, town(dovecot, people, lmtp_port=port) as postfix:
        carmen = Person(address="carmen@example.com", name="Carmen", client=GMAIL, ...)
        carmen.write("Printer", "It jams.")
        carmen.reply(carmen.newest("#1001"), "It still jams.")

Postfix delivers with virtual(8) into the Maildirs that Dovecot shows; an address that nobody has
comes back as a bounce. Mail that people send under their own address gets the stamp of a server
that checks DMARC; what a stranger sends under another's gets none.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, getaddresses, parseaddr
from html import escape
from pwd import getpwnam
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from tests.peers.daemon_rig import QUEUE
from tests.peers.dovecot import Dovecot
from tests.peers.postfix import Postfix

MTA = "mta.example.net"
_RULE = "-----Original Message-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How a mail program writes."""

    agent: tuple[str, str]  # the header that names it
    quote: Callable[[EmailMessage, str], str]
    html: bool = False
    more: Sequence[tuple[str, str]] = ()  # headers beside it that tell more than customers need


def _attributed(mail: EmailMessage, body: str) -> str:
    lines = "".join(f"> {line}\n" if line else ">\n" for line in body.splitlines())
    return f"On {mail['Date']}, {mail['From']} wrote:\n\n{lines}"


def _of_outlook(mail: EmailMessage, body: str) -> str:
    head = (("From", "From"), ("Sent", "Date"), ("To", "To"), ("Subject", "Subject"))
    lines = "".join(f"{name}: {mail[key]}\n" for name, key in head)
    return f"{_RULE}\n{lines}\n{body}"


THUNDERBIRD = Client(agent=("User-Agent", "Mozilla Thunderbird"), quote=_attributed)
APPLE = Client(agent=("X-Mailer", "Apple Mail (2.3774.600.62)"), quote=_attributed)
GMAIL = Client(agent=("X-Gm-Message-State", "AOJu0Yz"), quote=_attributed, html=True)
OUTLOOK = Client(
    agent=("X-Mailer", "Microsoft Outlook 16.0"),
    quote=_of_outlook,
    more=(("X-Originating-IP", "[10.77.3.9]"), ("Thread-Topic", "ours")),
)


def read(raw: bytes) -> EmailMessage:
    """A mail as a program of today reads it."""
    return email.message_from_bytes(raw, policy=email.policy.default)


def words(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None, mail.as_string()
    return str(part.get_content()).replace("\r\n", "\n")


def everything(mail: EmailMessage) -> str:
    """All headers and texts, decoded, and the escapes of links in them undone."""
    texts = [f"{name}: {text}" for name, text in mail.items()]
    parts = (part for part in mail.walk() if part.get_content_maintype() == "text")
    return unquote("\n".join([*texts, *(str(part.get_content()) for part in parts)]))


def virtual(dovecot: Dovecot, people: Sequence[str]) -> dict[str, str]:
    """Lines of main.cf: who has a mailbox here, where it is, and whose mail is stamped."""
    owner = getpwnam("nobody")
    boxes = dovecot.base / "mailboxes"
    boxes.write_text("".join(f"{person} {person}/\n" for person in people))
    domains = sorted({person.partition("@")[2] for person in people})
    stamps = dovecot.base / "stamps"
    says = "PREPEND Authentication-Results: {mta}; dmarc=pass header.from={domain}\n"
    stamps.write_text(
        "".join(f"{person} {says.format(mta=MTA, domain=_domain(person))}" for person in people)
    )
    return {
        "virtual_mailbox_domains": ", ".join(domains),
        "virtual_transport": "virtual",
        "virtual_mailbox_base": str(dovecot.base / "mail"),
        "virtual_mailbox_maps": f"texthash:{boxes}",
        "virtual_minimum_uid": "1",
        "virtual_uid_maps": f"static:{owner.pw_uid}",
        "virtual_gid_maps": f"static:{owner.pw_gid}",
        # Accepted first, so that a wrong address comes back as a mail, as from any other server.
        "smtpd_reject_unlisted_recipient": "no",
        "smtpd_data_restrictions": f"check_sender_access texthash:{stamps}",
    }


def _domain(address: str) -> str:
    return address.partition("@")[2]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a mailbox and a mail program."""

    address: str
    name: str
    client: Client
    postfix: Postfix
    dovecot: Dovecot
    settle: Callable[[], None]  # waits until all mail has arrived

    # --- reading --------------------------------------------------------------------------

    def mails(self) -> list[EmailMessage]:
        """The mailbox over IMAP, the oldest first."""
        return [read(mail.raw) for mail in self.dovecot.list(self.address, "INBOX")]

    def newest(self, part: str) -> EmailMessage:
        """The last mail with this in its subject."""
        found = [mail for mail in self.mails() if part in mail["Subject"]]
        assert found, f"{self.address} has nothing with {part}: {self.subjects()}"
        return found[-1]

    def subjects(self) -> list[str]:
        """The subjects in the mailbox, the oldest first."""
        return [str(mail["Subject"]) for mail in self.mails()]

    # --- writing --------------------------------------------------------------------------

    def write(self, subject: str, body: str, *, cc: str = "", to: str = QUEUE) -> None:
        """A new mail."""
        mail = self._begun(subject, to=to, cc=cc)
        mail.set_content(body)
        self._send(mail)

    def reply(self, to: EmailMessage, body: str, *, everybody: bool = False) -> None:
        """Reply, or reply to all, with the mail quoted below."""
        cc = ""
        if everybody:
            others = getaddresses([str(to.get("To", "")), str(to.get("Cc", ""))])
            cc = ", ".join(formataddr(pair) for pair in others if pair[1] != self.address)
        mail = self._begun(_re(to["Subject"]), to=str(to["Reply-To"] or to["From"]), cc=cc)
        self._thread(mail, to)
        quoted = self.client.quote(to, words(to))
        mail.set_content(f"{body}\n\n{quoted}")
        if self.client.html:
            lines = "".join(f"<div>{escape(line) or '<br>'}</div>" for line in body.splitlines())
            inner = escape(words(to)).replace("\n", "<br>")
            attribution = f"On {escape(str(to['Date']))} {escape(str(to['From']))} wrote:<br>"
            mail.add_alternative(
                f'<div dir="ltr">{lines}</div><br><div class="gmail_quote">'
                f'<div dir="ltr" class="gmail_attr">{attribution}</div>'
                f'<blockquote class="gmail_quote">{inner}</blockquote></div>',
                subtype="html",
            )
        self._send(mail)

    def tap(self, notice: EmailMessage, action: str, more: str = "") -> None:
        """Follow a `mailto:` link of a notice, and send what it opens, with `more` words."""
        link = re.search(rf"^{action}: <(mailto:[^>]+)>$", words(notice), re.MULTILINE)
        assert link, words(notice)
        parts = urlsplit(link[1])
        asked = parse_qs(parts.query)
        mail = self._begun(asked["subject"][0], to=unquote(parts.path))
        mail.set_content(f"{asked.get('body', [''])[0]}{more}\n")
        self._send(mail)

    def be_away(self, from_mail: EmailMessage, to: str = "Return-Path") -> None:
        """Let the vacation responder answer: to where bounces go (RFC 3834), or as Exchange does.

        `to` is the header whose address it takes; Exchange takes Reply-To.
        """
        to = parseaddr(str(from_mail[to]))[1]
        mail = self._begun(f"Automatic reply: {from_mail['Subject']}", to=to)
        self._thread(mail, from_mail)
        mail["Auto-Submitted"] = "auto-replied"
        mail.set_content("I am away until Monday.\n")
        self._send(mail, sender="")

    # --- inside ---------------------------------------------------------------------------

    def _begun(self, subject: str, *, to: str, cc: str = "") -> EmailMessage:
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"] = formataddr((self.name, self.address))
        mail["To"], mail["Subject"] = to, subject
        if cc:
            mail["Cc"] = cc
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{uuid4().hex}@{_domain(self.address)}>"
        for name, text in (self.client.agent, *self.client.more):
            mail[name] = text
        return mail

    def _thread(self, mail: EmailMessage, parent: EmailMessage) -> None:
        mail["In-Reply-To"] = parent["Message-ID"]
        above = str(parent["References"] or parent["In-Reply-To"] or "")
        mail["References"] = f"{above} {parent['Message-ID']}".strip()

    def _send(self, mail: EmailMessage, sender: str | None = None) -> None:
        to = [pair[1] for pair in getaddresses([str(mail["To"]), str(mail["Cc"] or "")]) if pair[1]]
        self.postfix.send(bytes(mail), self.address if sender is None else sender, to)
        self.settle()


def _re(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"
