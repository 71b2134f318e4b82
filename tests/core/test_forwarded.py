"""Forwarded mail: four clients in six languages, attached mails, and what only looks like one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.forwarded import MAX_LINES, begins, find, people
from mailgate.core.mail import Address, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.prefixes import is_forward
from tests.core.samples import ANA, mail

RITA = Address(addr="rita@customer.test", name="Rita Vega")
TO = (Address(addr="info@help.test", name="Info"), Address(addr="max@help.test", name="Max M."))
CC = (Address(addr="carl@customer.test", name="Carl"),)
BODY = "Hello,\n\nthe printer does not print.\n\nRita"
WORDS = "Please have a look.\n\nAna"
AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)

# language -> prefix, and for Outlook, Gmail, Apple Mail and Thunderbird their marks and labels
OUTLOOK = {
    "en": ("FW: ", "From|Sent|To|Cc|Subject", "Monday, May 4, 2026 9:30 AM"),
    "es": ("RV: ", "De|Enviado el|Para|CC|Asunto", "lunes, 4 de mayo de 2026 9:30"),
    "fr": ("TR: ", "De |Envoyé |À |Cc |Objet ", "lundi 4 mai 2026 09:30"),
    "de": ("WG: ", "Von|Gesendet|An|Cc|Betreff", "Montag, 4. Mai 2026 09:30"),
    "it": ("I: ", "Da|Inviato|A|Cc|Oggetto", "lunedì 4 maggio 2026 09:30"),
    "pt": ("ENC: ", "De|Enviada em|Para|Cc|Assunto", "segunda-feira, 4 de maio de 2026 09:30"),
}
GMAIL = {
    "en": ("From|Date|Subject|To|Cc", "Mon, May 4, 2026 at 9:30 AM"),
    "es": ("De|Date|Subject|To|Cc", "lun, 4 may 2026 a las 9:30"),
    "fr": ("De |Date |Subject |To |Cc ", "lun. 4 mai 2026 à 09:30"),
    "de": ("Von|Date|Subject|To|Cc", "Mo., 4. Mai 2026 um 09:30 Uhr"),
    "it": ("Da|Date|Subject|To|Cc", "lun 4 mag 2026 alle ore 09:30"),
    "pt": ("De|Date|Subject|To|Cc", "seg., 4 de mai. de 2026 às 09:30"),
}
APPLE = {
    "en": ("Begin forwarded message:", "From|Subject|Date|To|Cc", "May 4, 2026 at 11:30:00 CEST"),
    "es": (
        "Inicio del mensaje reenviado:",
        "De|Asunto|Fecha|Para|Cc",
        "4 de mayo de 2026, 11:30:00 CEST",
    ),
    "fr": (
        "Début du message réexpédié :",
        "De |Objet |Date |À |Cc ",
        "4 mai 2026 à 11:30:00 UTC+2",
    ),
    "de": (
        "Anfang der weitergeleiteten Nachricht:",
        "Von|Betreff|Datum|An|Kopie",
        "4. Mai 2026 um 11:30:00 MESZ",
    ),
    "it": (
        "Inizio messaggio inoltrato:",
        "Da|Oggetto|Data|A|Cc",
        "4 maggio 2026 alle ore 11:30:00 CEST",
    ),
    "pt": (
        "Início da mensagem reenviada:",
        "De|Assunto|Data|Para|Cc",
        "4 de maio de 2026, 10:30:00 WEST",
    ),
}
THUNDERBIRD = {
    "en": ("Forwarded Message", "Subject|Date|From|To|CC"),
    "es": ("Mensaje reenviado", "Asunto|Fecha|De|Para|CC"),
    "fr": ("Message transféré", "Sujet |Date |De |Pour |Copie à "),
    "de": ("Weitergeleitete Nachricht", "Betreff|Datum|Von|An|Kopie (CC)"),
    "it": ("Messaggio inoltrato", "Oggetto|Data|Mittente|A|CC"),
    "pt": ("Mensagem reencaminhada", "Assunto|Data|De|Para|CC"),
}
PEOPLE = {
    "from": "Rita Vega <rita@customer.test>",
    "to": "Info <info@help.test>, Max M. <max@help.test>",
    "cc": "Carl <carl@customer.test>",
    "subject": "Printer: broken",
}
SEMICOLONS = {**PEOPLE, "to": "Info <info@help.test>; Max M. <max@help.test>"}


def head(labels: str, order: str, values: dict[str, str], gap: str = " ") -> str:
    pairs = zip(labels.split("|"), order.split(), strict=True)
    return "\n".join(f"{label}:{gap}{values[name]}" for label, name in pairs)


def outlook(language: str) -> tuple[str, str]:
    prefix, labels, date = OUTLOOK[language]
    top = head(labels, "from date to cc subject", {**SEMICOLONS, "date": date})
    return prefix, f"{WORDS}\n\n________________________________\n{top}\n\n{BODY}\n"


def outlook_bare(language: str) -> tuple[str, str]:
    """Without a line above, and in bold, as text made from its HTML looks."""
    prefix, labels, date = OUTLOOK[language]
    top = head(labels, "from date to cc subject", {**SEMICOLONS, "date": date})
    bold = "\n".join(f"**{line.replace(':', ':**', 1)}" for line in top.split("\n"))
    return prefix, f"{WORDS}\n\n{bold}\n\n{BODY}\n"


def gmail(language: str) -> tuple[str, str]:
    labels, date = GMAIL[language]
    top = head(labels, "from date subject to cc", {**PEOPLE, "date": date})
    return "Fwd: ", f"{WORDS}\n\n---------- Forwarded message ---------\n{top}\n\n\n{BODY}\n"


def apple(language: str) -> tuple[str, str]:
    mark, labels, date = APPLE[language]
    top = head(labels, "from subject date to cc", {**PEOPLE, "date": date})
    quoted = "\n".join(f"> {line}".rstrip() for line in f"{top}\n\n{BODY}".split("\n"))
    return "Fwd: ", f"{WORDS}\n\n{mark}\n\n{quoted}\n"


def thunderbird(language: str) -> tuple[str, str]:
    mark, labels = THUNDERBIRD[language]
    values = {**PEOPLE, "date": "Mon, 4 May 2026 11:30:00 +0200"}
    top = head(labels, "subject date from to cc", values, " \t")
    return "Fwd: ", f"{WORDS}\n\n\n-------- {mark} --------\n{top}\n\n\n\n{BODY}\n"


CLIENTS = (outlook, outlook_bare, gmail, apple, thunderbird)
EVERY = [
    pytest.param(*client(language), id=f"{client.__name__}-{language}")
    for client in CLIENTS
    for language in OUTLOOK
]


def forwarded(text: str, subject: str = "Fwd: Printer: broken") -> ParsedMail:
    return mail(ANA.address, subject, text=text, visible=text)


@pytest.mark.parametrize(("prefix", "text"), EVERY)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_client_in_each_language(prefix: str, text: str, ends: str) -> None:
    found = find(forwarded(text.replace("\n", ends), f"{prefix}Printer: broken"))
    assert found is not None
    inside = found.original
    assert (inside.sender, inside.subject) == (RITA, "Printer: broken")
    assert (inside.to, inside.cc) == (TO, CC)
    assert inside.date == AT
    assert inside.body.replace("\r", "").strip() == BODY
    assert found.words.replace("\r", "") == WORDS


@pytest.mark.parametrize(("prefix", "text"), EVERY)
def test_without_words_of_the_forwarder(prefix: str, text: str) -> None:
    found = find(forwarded(text.removeprefix(WORDS), f"{prefix}x"))
    assert found is not None
    assert (found.words, found.original.sender) == ("", RITA)


def test_an_attached_mail_comes_before_what_the_text_says() -> None:
    inside = replace(mail(RITA.addr, "Printer", text=BODY), date=AT, cc=CC)
    found = find(forwarded(gmail("en")[1]), (mail("", text="no author"), inside))
    assert found is not None
    assert found.how == "attached"
    assert found.original.sender == inside.sender
    assert (found.original.date, found.original.cc, found.original.body) == (AT, CC, BODY)
    assert found.original.message_id == "<new@customer.test>"


@pytest.mark.parametrize("language", OUTLOOK)
def test_outlooks_heading_in_an_answer_is_a_quote(language: str) -> None:
    for text in (outlook(language)[1], outlook_bare(language)[1]):
        assert find(forwarded(text, "Re: Printer")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "From: the window you see the sea.",
        "---------- Forwarded message ---------",
        "---------- Forwarded message ---------\n\nHello",
        "---------- Forwarded message ---------\nSubject: x\nTo: <a@b.test>\n\nHello",
        "________________________________\nHello",
        "> From: x\n> said so",
    ],
)
def test_a_forward_without_an_author_is_none(text: str) -> None:
    assert find(forwarded(text)) is None


def test_kmail_sets_its_mark_wider() -> None:
    top = "Subject: x\nDate: Sunday 26 October 2003 20:19\nFrom: rita@customer.test\nTo: a@b.test"
    found = find(forwarded(f"FYI\n\n----------  Forwarded Message  ----------\n\n{top}\n\nHello"))
    assert found is not None
    assert (found.words, found.original.subject, found.original.body) == ("FYI", "x", "Hello")
    assert found.original.date == datetime(2003, 10, 26, 20, 19, tzinfo=UTC)


def test_outlook_names_colleagues_without_an_address() -> None:
    text = "From: Vega, Rita\nSent: 5/4/2026 9:30 AM\nTo: Info; Max M.\nSubject: x\n\nHello"
    found = find(forwarded(text, "FW: x"))
    assert found is not None
    assert found.original.sender == Address(addr="", name="Vega, Rita")
    assert [p.name for p in found.original.to] == ["Info", "Max M."]
    assert found.original.date == AT


def test_the_outermost_of_two_forwards_is_read() -> None:
    inner = thunderbird("de")[1].replace("Rita Vega <rita@customer.test>", "Z <z@far.test>")
    text = gmail("en")[1].replace(BODY, inner)
    found = find(forwarded(text))
    assert found is not None
    assert found.original.sender == RITA
    assert "z@far.test" in found.original.body


@pytest.mark.parametrize("fold", [",\n Max M. ", ",\nMax M. ", ", Max M.\n"])
def test_a_folded_line_of_people_is_read_whole(fold: str) -> None:
    text = gmail("en")[1].replace(", Max M. ", fold)
    found = find(forwarded(text))
    assert found is not None
    assert (found.original.to, found.original.cc) == (TO, CC)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("a@x.test", ["a@x.test"]),
        ("<a@x.test>, <b@x.test>", ["a@x.test", "b@x.test"]),
        ('"Vega, Rita" <a@x.test>, b@x.test', ["a@x.test", "b@x.test"]),
        ("Rita [mailto:a@x.test]; Max <mailto:b@x.test>", ["a@x.test", "b@x.test"]),
        ("Rita <[a@x.test](mailto:a@x.test)>", ["a@x.test"]),
        ("a@X.TEST, a@x.test", ["a@x.test"]),
        ("undisclosed", [""]),
        ("", []),
    ],
)
def test_people_of_a_line(value: str, addresses: list[str]) -> None:
    assert [person.addr for person in people(value)] == addresses


def test_forwards_are_known_by_their_subject() -> None:
    for prefix, _, _ in OUTLOOK.values():
        assert is_forward(f"{prefix}x")
    assert is_forward("[list] Fwd: x")
    assert not is_forward("Re: Fwd: x")
    assert not is_forward("Forward: the x")


@given(st.text(max_size=400), st.sampled_from([text for _, text in map(apple, APPLE)]))
def test_any_text_is_read_without_a_fault(noise: str, text: str) -> None:
    for whole in (noise, text + noise, noise + "\n" + text, text.replace("@", noise[:3])):
        found = find(forwarded(whole))
        assert found is None or found.original.sender is not None


def test_real_mails_are_read_without_a_fault(corpus: Path) -> None:
    """Every forward found names an author; how many there are is not asserted."""
    for path in sorted(corpus.rglob("*.eml"))[:400]:
        raw = path.read_bytes()
        if len(raw) < 50_000:
            found = find(parse(raw))
            assert found is None or found.original.sender is not None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("#take", 1),
        ("#take\n\n---------- Forwarded message ---------\n#close", 2),
        ("x\n" * 5000, MAX_LINES),
        ("From: a@b.example\n" * 5000, MAX_LINES),
    ],
)
def test_where_a_copied_mail_begins(words: str, line: int) -> None:
    assert begins(words) == line
