"""Delivery reports that follow no standard: whom they are about, and what they say of them.

Part of `report`, which asks here only where RFC 3464 gave no answer. flufl.bounce knows the shapes
of many mail servers; the table below has what it lacks: Exchange and Outlook in six languages,
newer Exim, Postfix and Gmail, delay notices, and gateways that block. What is read here is a hint
and no proof: `core.bounces` believes it only of somebody whom we did write to.

Everything is bounded, since anybody may send a mail that looks like a report: lines, their length
and the text in which an address is sought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from itertools import islice

from flufl.bounce import all_failures

from mailgate.core.addresses import normal
from mailgate.core.charset import decode, one_line
from mailgate.core.header import Head, raw_text
from mailgate.core.mail import DeliveryReport
from mailgate.core.mime import Node

MAX_FOUND = 50  # addresses in one report
_MAX_TEXT = 32 * 1024  # characters that are read of one
_MAX_LINES = 400
_MAX_LINE = 300  # characters; no address is longer
_MAX_PARTS = 20
_WINDOW = 3000  # characters behind a phrase in which addresses stand
_DIAGNOSTIC = 400  # characters behind an address that speak of it

# Who writes delivery reports, whatever they write.
DAEMONS: frozenset[str] = frozenset(
    {"mailer-daemon", "mail-daemon", "mailerdaemon", "maildaemon", "postmaster"}
)
# What stands in the subject of a report, in small letters.
SUBJECTS: tuple[str, ...] = (
    "returned mail",
    "returned to sender",
    "undeliver",
    "delivery status",
    "delivery fail",
    "delivery delayed",
    "delivery has been delayed",
    "delivery incomplete",
    "delayed mail",
    "failure notice",
    "mail delivery",
    "mail system error",
    "message you sent blocked",
    "warning: could not send",
    "warning: message",
    "no se puede entregar",
    "no entregado",
    "no se ha podido entregar",
    "non remis",
    "non distribué",
    "échec de la remise",
    "échec de remise",
    "unzustellbar",
    "nicht zugestellt",
    "zustellung verzögert",
    "nicht zustellbar",
    "non recapitabile",
    "non recapitato",
    "mancato recapito",
    "recapito non riuscito",
    "não é possível entregar",
    "não entregue",
    "não foi entregue",
    "falha na entrega",
)
_OPENINGS = (
    "hi. this is the",
    "this is the mail delivery agent at",
    "this message was created automatically by",
    "this report relates to a message you sent",
)

# The mail is still on its way. Looked for first: many of these texts also say "could not be".
_DELAYED: tuple[str, ...] = (
    r"has not yet been delivered",
    r"this is a warning (?:only|message only)",
    r"could not be delivered for (?:more than|the past)",
    r"could not send message for past",
    r"your message has been delayed",
    r"deliver[a-z ]{0,40} (?:has been|is|are) delayed",
    r"delivery incomplete",
    r"there was a temporary problem (?:while )?delivering your message",
    r"zustellung [^.:]{0,60}(?:verzögert|verspätet)",
    r"entrega [^.:]{0,60}(?:retrasad[oa]|se retrasó)",
    r"remise [^.:]{0,60}retardée?",
    r"recapito [^.:]{0,60}(?:in ritardo|ritardato)",
    r"entrega [^.:]{0,60}atrasad[oa]",
)
# It will not arrive. An address stands inside the phrase or behind it.
_FAILED: tuple[str, ...] = (
    # Exchange and Outlook
    r"delivery has failed to these recipients",
    r"your message did not reach some or all of the intended recipients",
    r"the following recipients?(?:\(s\))? (?:cannot|could not) be reached",
    r"your message (?:to [^ ]{3,254} )?(?:could not|couldn't|wasn't|was not|can't) be(?:en)?"
    r" delivered",
    r"your message to [^ ]{3,254} (?:couldn't|could not) be delivered",
    r"your message wasn't delivered to",
    r"fehler bei der nachrichtenzustellung an folgende empfänger",
    r"ihre nachricht (?:an [^ ]{3,254} )?(?:konnte nicht zugestellt werden"
    r"|hat einige oder alle empfänger nicht erreicht)",
    r"folgende(?:r|\(r\))? empfänger konnte(?:n|\(n\))? nicht erreicht werden",
    r"error al entregar a estos destinatarios",
    r"error de entrega a estos destinatarios",
    r"no se (?:pudo|ha podido|puede) entregar (?:el|su) mensaje a",
    r"su mensaje no (?:llegó|ha llegado) a (?:algunos|todos|alguno)",
    r"no se (?:puede|pudo) (?:tener acceso|obtener acceso|llegar) a los siguientes destinatarios",
    r"échec de la remise (?:pour|à|aux)",
    r"la remise a échoué pour",
    r"votre message (?:à [^ ]{3,254} )?(?:n'a pas pu être remis|n'est pas parvenu à"
    r"|n'a pas atteint)",
    r"impossible (?:de joindre|d'atteindre) (?:le ou )?les destinataires",
    r"recapito non riuscito (?:per|a) (?:i seguenti|questi)",
    r"il messaggio non ha raggiunto (?:alcuni|uno|tutti)",
    r"impossibile (?:recapitare il messaggio a|raggiungere i seguenti destinatari)",
    r"falha (?:na|de) entrega (?:para|a) (?:estes|esses|os seguintes) destinatários",
    r"a (?:sua )?mensagem não (?:foi entregue|chegou) a",
    r"não foi possível (?:entregar a (?:sua )?mensagem|contactar|contatar)",
    # Exim, Postfix, sendmail, Gmail, Domino
    r"a message that you (?:have )?sent could not be delivered",
    r"the following address(?:es|\(es\))? (?:failed|had permanent)",
    r"your message could not be delivered to one or more recipients",
    r"error occurred while trying to deliver the mail to the following recipients",
    r"delivery to the following recipients? (?:has )?failed",
    r"(?:was|were) not delivered to:",
    # gateways that block: Barracuda, Symantec and their like
    r"your message to:? [^ ]{3,254} was (?:blocked|rejected|considered)",
    r"was not able to deliver your message to",
    r"(?:could not|cannot|unable to) (?:be delivered|deliver) (?:your message |the message )?to",
)
_ANY_DELAYED = re.compile("|".join(_DELAYED))
_ANY_FAILED = re.compile("|".join(_FAILED))
# Where the returned mail, or its header, begins.
_COPY = re.compile(
    r"^[ \t>*-]*(?:below this line is a copy|original message|message headers follow"
    r"|(?:received|return-path|message-id):"
    r"|this is a copy of (?:the|your) message|included is a copy|returned (?:mail|message) follows"
    r"|your message reads|urspr(?:ü|ue)ngliche nachricht(?:enkopfzeilen|enkopf|skopfzeilen)?"
    r"|encabezados de mensajes? originale?s?|mensaje original|en-têtes de message d'origine"
    r"|message d'origine|intestazioni del messaggio originale|messaggio originale"
    r"|cabeçalhos (?:da|de) mensage(?:m|ns) origina(?:l|is)|mensagem original)",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"'|*]{1,64}@[^\s<>()\[\]:;,\"'|*@]{1,253}")
_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_MESSAGE_ID = re.compile(r"^[ \t>|]{0,4}message-id:\s{0,8}(<[^<>\s]{1,996}>)", re.I | re.M)
_BESIDE = re.compile(r"^[ \t>|]{0,4}(?:from|to|subject|date|received):", re.I | re.M)


def looks_like(head: Head, text: str) -> bool:
    """Whether a mail may be a report at all, from its sender, subject and first words."""
    sender = raw_text(head.first("from"))[:2000].lower()
    local = re.search(r"([^\s<\"]{1,64})@", sender)
    if head.first("x-failed-recipients") or (local and local[1] in DAEMONS):
        return True
    subject = raw_text(head.first("subject")).lower()
    return any(word in subject for word in SUBJECTS) or _flat(text[:600]).startswith(_OPENINGS)


def read(top: Node, head: Head, text: str) -> tuple[DeliveryReport, ...]:
    """What a mail that `looks_like` a report says; one nameless report when it names nobody."""
    words = _words(text)
    flat = _flat(words)
    action = _action(flat.lower())
    found = dict.fromkeys((*_known_shapes(top, head), *_behind_phrases(flat)))
    if not found:
        return (_report("", action, flat[:_DIAGNOSTIC]),) if flat else ()
    return tuple(_report(a, action, _about(a, flat)) for a in list(found)[:MAX_FOUND])


def _action(low: str) -> str:
    """A mail that may yet arrive is told by what comes first; the rest may be the mail itself."""
    delayed, failed = _ANY_DELAYED.search(low), _ANY_FAILED.search(low)
    if delayed and (failed is None or delayed.start() <= failed.start()):
        return "delayed"
    return "failed"


def copied_id(text: str) -> str:
    """The Message-ID in a header block that was copied into the text, or ""."""
    for found in islice(_MESSAGE_ID.finditer(text[: 8 * _MAX_TEXT]), _MAX_PARTS):
        around = text[max(0, found.start() - 4000) : found.end() + 2000]
        if _BESIDE.search(around):
            return found[1]
    return ""


def _report(address: str, action: str, words: str) -> DeliveryReport:
    status = _STATUS.search(words)
    return DeliveryReport(
        recipient=address,
        action=action,
        status=status[0] if status else "",
        diagnostic=one_line(words, 500),
    )


def _words(text: str) -> str:
    """What the server says, without the mail that it returns."""
    text = text[:_MAX_TEXT]
    copy = _COPY.search(text, 40)  # a report may begin with such a line
    return text[: copy.start()] if copy else text


def _flat(text: str) -> str:
    """On one line, with one kind of apostrophe, so that phrases are found where they wrap."""
    return " ".join(text.replace("’", "'").split())


def _behind_phrases(flat: str) -> Iterator[str]:
    low = flat.lower()
    for phrases in (_ANY_DELAYED, _ANY_FAILED):
        phrase = phrases.search(low)
        if phrase is None:
            continue
        for found in _ADDRESS.finditer(flat[phrase.start() : phrase.end() + _WINDOW]):
            address = _clean(found[0])
            if address and address.partition("@")[0] not in DAEMONS:
                yield address


def _about(address: str, flat: str) -> str:
    """The words behind an address: behind the first mention that has a status code, if any."""
    low, first = flat.lower(), ""
    places = [m.start() for m in re.finditer(re.escape(address.lower()), low)][:20]
    for at in places:
        words = flat[at : at + _DIAGNOSTIC]
        others = (m for m in _ADDRESS.finditer(words) if _clean(m[0]) not in ("", address))
        end = next((m.start() for m in others), len(words))
        words = words[:end]
        if _STATUS.search(words):
            return words
        first = first or words
    return first or flat[:_DIAGNOSTIC]


def _clean(text: str) -> str:
    return normal(text.strip("<>.,;:!?")) or ""


# --- flufl.bounce ------------------------------------------------------------------------


def _known_shapes(top: Node, head: Head) -> Iterator[str]:
    """Whom flufl.bounce finds; what is no address is left out."""
    message = _message(top, [_MAX_LINES, _MAX_PARTS])
    sender = _ascii(raw_text(head.first("from")))[:_MAX_LINE]
    message["From"] = sender or "<>"  # without one a detector fails
    for name in ("subject", "x-failed-recipients", "x-mailer"):
        if value := _ascii(raw_text(head.first(name)))[:4000]:
            message[name] = value
    for found in sorted(frozenset().union(*all_failures(message))):
        if address := _clean(found.decode("utf-8", "replace")):
            yield address


def _message(node: Node, room: list[int]) -> Message:
    """A small likeness of the mail: its structure, and the first lines of its text.

    `room` holds how many lines and parts may still be taken. Returned mails are left out.
    """
    message = Message()
    room[1] -= 1
    plain = re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,60}", node.kind, re.ASCII)
    other = "multipart/mixed" if node.children else "text/plain"
    message["Content-Type"] = node.kind if plain else other
    if node.children:
        inner: list[Message | str] = []
        inner += [_message(child, room) for child in node.children if room[1] > 0]
        message.set_payload(inner)
        return message
    if node.kind.startswith("text/"):
        lines = _lines(node)[: room[0]]
        room[0] -= len(lines)
        message.set_payload("".join(f"{line}\n" for line in lines))
    else:
        message.set_payload("")
    return message


def _lines(node: Node) -> list[str]:
    data = node.octets()[: 2 * _MAX_TEXT]
    text = decode(data, node.params.get("charset", "")).text[:_MAX_TEXT]
    return [_closed(_ascii(line)[:_MAX_LINE]) for line in text.splitlines()]


def _closed(line: str) -> str:
    """A line whose brackets close: one of their expressions takes cubic time on others."""
    return line if line.find(">", line.find("<")) >= 0 else line.replace("<", " ")


def _ascii(text: str) -> str:
    """flufl.bounce knows ASCII alone; an address with other letters is found by our table."""
    return one_line(text, 4000).encode("ascii", "replace").decode()
