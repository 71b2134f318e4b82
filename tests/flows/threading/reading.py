"""A mail as its reader's program has it, and the ways programs quote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses, parseaddr


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A mail as its reader's program has it."""

    message: EmailMessage
    reader: str

    def header(self, name: str) -> str:
        """One header in one line."""
        return " ".join(str(self.message[name] or "").split())

    @property
    def text(self) -> str:
        """Its plain words."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""

    @property
    def copied(self) -> tuple[str, ...]:
        """Who else stands in To and Cc."""
        values = [*self.message.get_all("To", []), *self.message.get_all("Cc", [])]
        found = (addr for _name, addr in getaddresses([str(v) for v in values]))
        return tuple(a for a in found if a.lower() != self.reader.lower())


Quote = Callable[[Reading, str], str]


def read(raw: bytes, reader: str) -> Reading:
    """A mail as `reader` has it."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return Reading(message=message, reader=reader)


def _prefixed(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def internet(reading: Reading, said: str) -> str:
    head = f"On {reading.header('Date')}, {reading.header('From')} wrote:"
    return f"{said}\n\n{head}\n{_prefixed(reading.text)}\n"


def gmail(reading: Reading, said: str) -> str:
    head = f"On Mon, May 4, 2026 at 9:01 AM {reading.header('From')} wrote:"
    return f"{said}\n\n{head}\n\n{_prefixed(reading.text)}\n"


def apple(reading: Reading, said: str) -> str:
    name, address = parseaddr(reading.header("From"))
    head = f"> On 4 May 2026, at 09:01, {name or address} <{address}> wrote:\n> "
    return f"{said}\n\n{head}\n{_prefixed(reading.text)}\n"


def iphone(reading: Reading, said: str) -> str:
    return f"{said}\n\nSent from my iPhone\n\n{apple(reading, '').lstrip()}"


def android(reading: Reading, said: str) -> str:
    head = (
        "-------- Original message --------\n"
        f"From: {reading.header('From')}\nDate: 04/05/2026 09:01 (GMT+00:00)\n"
        f"To: {reading.reader}\nSubject: {reading.header('Subject')}"
    )
    return f"{said}\n\nSent from my Galaxy\n\n{head}\n\n{reading.text.strip()}\n"


def block(names: Sequence[str], rule: str = "") -> Callable[[Reading, str], str]:
    """Outlook's head over an unmarked quote, in the language of its user."""

    def quote(reading: Reading, said: str) -> str:
        sent = "Monday, May 4, 2026 9:01 AM"
        facts = (reading.header("From"), sent, reading.reader, reading.header("Subject"))
        head = "\n".join(f"{name}: {fact}" for name, fact in zip(names, facts, strict=True))
        return f"{said}\n\n{rule}{head}\n\n{reading.text.strip()}\n"

    return quote


GERMAN = block(("Von", "Gesendet", "An", "Betreff"), "-----Ursprüngliche Nachricht-----\n")
ENGLISH = block(("From", "Sent", "To", "Subject"), f"{'_' * 32}\n")
FRENCH = block(("De", "Envoyé", "À", "Objet"), "-----Message d'origine-----\n")
ITALIAN = block(("Da", "Inviato", "A", "Oggetto"), "-----Messaggio originale-----\n")
WEB = block(("Von", "Gesendet", "An", "Betreff"))
