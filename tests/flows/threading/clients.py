"""Mail clients as far as threads go: what each of them keeps of the mail it answers.

What a client keeps (the reply address, ids, the subject) and what it adds (Thread-Index, its own
prefix, its way to quote) stands in one table, by the habits of the real programs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tests.flows.threading import reading as quoting
from tests.flows.threading.reading import Quote


class Ids(StrEnum):
    """What a client writes into In-Reply-To and References."""

    FULL = "full"  # RFC 5322, section 3.6.4
    NEAR = "near"  # In-Reply-To alone
    LAST = "last"  # References alone, with nothing but the mail answered
    CUT = "cut"  # References: the first id and the last two
    FOREIGN = "foreign"  # a server had changed the id on the way to the reader
    OTHER = "other"  # ids of the program's own, in another form
    NONE = "none"


class Goes(StrEnum):
    """Where an answer goes to."""

    REPLY_TO = "reply-to"
    FOLDED = "folded"  # the same, with its case changed
    UNTAGGED = "untagged"  # a server or an address book cut "+tag" off
    FROM = "from"  # Reply-To is not looked at


class Subject(StrEnum):
    """What becomes of the subject."""

    KEPT = "kept"
    UNTAGGED = "untagged"  # the ticket's tag is gone
    OTHER = "other"  # another one was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One program and its habits."""

    name: str
    prefix: str = "Re: "
    ids: Ids = Ids.FULL
    goes: Goes = Goes.REPLY_TO
    subject: Subject = Subject.KEPT
    id_form: str = "<{hex}@{domain}>"
    headers: tuple[tuple[str, str], ...] = ()
    thread_index: bool = False
    quote: Quote = quoting.internet
    html: bool = False
    encoding: str = "8bit"  # 8bit | quoted-printable | base64


OUTLOOK = Client(
    name="outlook-desktop",
    prefix="RE: ",
    id_form="<000601d8a15f${HEX}$@{domain}>",
    headers=(("X-Mailer", "Microsoft Outlook 16.0"), ("Content-Language", "en-us")),
    thread_index=True,
    quote=quoting.ENGLISH,
    html=True,
    encoding="quoted-printable",
)
CLIENTS: tuple[Client, ...] = (
    OUTLOOK,
    replace(OUTLOOK, name="outlook-german", prefix="AW: ", quote=quoting.GERMAN),
    replace(OUTLOOK, name="outlook-swedish", prefix="SV: "),
    replace(OUTLOOK, name="outlook-french", prefix="TR : ", quote=quoting.FRENCH, ids=Ids.LAST),
    replace(OUTLOOK, name="outlook-italian", prefix="RIF: ", quote=quoting.ITALIAN),
    replace(
        OUTLOOK,
        name="exchange-online",
        # Our relay, or the reader's, gave our mail an id of its own.
        ids=Ids.FOREIGN,
        id_form="<AM9PR03MB{HEX}@AM9PR03MB7.eurprd03.prod.outlook.com>",
        headers=(("X-MS-Exchange-Organization-AuthAs", "Internal"), ("Accept-Language", "en-US")),
    ),
    Client(
        name="gmail",
        id_form="<CAJ{hex}@mail.gmail.com>",
        quote=quoting.gmail,
        html=True,
        encoding="quoted-printable",
    ),
    Client(
        name="apple-mail",
        ids=Ids.CUT,
        id_form="<{HEX}@{domain}>",
        headers=(("X-Mailer", "Apple Mail (2.3774.500.171.1.1)"),),
        quote=quoting.apple,
        encoding="quoted-printable",
    ),
    Client(
        name="iphone",
        ids=Ids.LAST,
        id_form="<{HEX}@{domain}>",
        headers=(("X-Mailer", "iPhone Mail (21E236)"),),
        quote=quoting.iphone,
        html=True,
        encoding="base64",
    ),
    Client(
        name="android",
        ids=Ids.NEAR,
        id_form="<{hex}.1714813260@email.android.com>",
        quote=quoting.android,
        html=True,
        encoding="base64",
    ),
    Client(
        name="lotus-notes",
        prefix="Antwort: ",
        ids=Ids.OTHER,
        id_form="<OF{HEX}.ON00441F3B-C1258B1F@{domain}>",
        headers=(("X-Mailer", "Lotus Notes Release 9.0.1FP10 May 2020"),),
        quote=quoting.block(("Von", "Datum", "An", "Betreff")),
    ),
    Client(
        name="lotus-notes-french",
        prefix="Réf. : ",
        ids=Ids.OTHER,
        id_form="<OF{HEX}.ON00441F3B-C1258B1E@{domain}>",
        headers=(("X-Mailer", "Lotus Notes Release 9.0.1 October 2013"),),
        quote=quoting.FRENCH,
    ),
    Client(
        name="thunderbird",
        headers=(("User-Agent", "Mozilla Thunderbird"), ("Content-Language", "en-US")),
    ),
    Client(name="k-9", id_form="<{HEX}@{domain}>", headers=(("User-Agent", "K-9 Mail"),)),
    Client(
        name="web.de",
        prefix="Aw: ",
        id_form="<trinity-{hex}@3c-app-webde-bs15>",
        headers=(("Sensitivity", "Normal"), ("X-UI-Message-Type", "mail")),
        quote=quoting.WEB,
        html=True,
        encoding="quoted-printable",
    ),
    Client(name="mutt", id_form="<aj{hex}@{domain}>", headers=(("User-Agent", "Mutt/2.2.13"),)),
    Client(name="spanish-webmail", prefix="RV: ", ids=Ids.CUT, quote=quoting.internet),
    Client(name="finnish-webmail", prefix="VS: ", ids=Ids.NEAR, quote=quoting.internet),
    Client(name="polish-webmail", prefix="Odp: ", ids=Ids.NEAR, quote=quoting.internet),
    # --- servers and habits that take something away
    Client(name="folding-gateway", goes=Goes.FOLDED, ids=Ids.NONE, subject=Subject.UNTAGGED),
    Client(name="untagging-gateway", goes=Goes.UNTAGGED),
    Client(name="from-answerer", goes=Goes.FROM),
    Client(name="untagging-phone", goes=Goes.UNTAGGED, ids=Ids.NEAR, subject=Subject.UNTAGGED),
    Client(name="form-mailer", goes=Goes.UNTAGGED, ids=Ids.NONE),
    Client(name="rewriter", goes=Goes.UNTAGGED, ids=Ids.NONE, subject=Subject.OTHER),
)
