"""Which words of a mail are new: quotes and signatures in six languages, and what must stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailgate.core.parse import parse
from mailgate.core.strip import MAX_LINES, REPLY_MARKER, own_words, strip

NEW = "Yes, please do.\n\nThank you"
QUOTE = "> Shall we send it?\n>\n> Support"


@pytest.mark.parametrize(
    "heading",
    [
        "On Fri, 21 Nov 2025 at 09:55, Support <s@example.org> wrote:",
        "On Fri, 21 Nov 2025 at 09:55, Support Team of Example\n<s@example.org> wrote:",
        "On Dec 16, 2025, at 12:47 PM, Support\n<s@example.org>\nwrote:",
        "El vie, 21 nov 2025 a las 9:55, Soporte (<s@example.org>) escribió:",
        "El viernes, 21 de noviembre de 2025, Soporte\n<s@example.org> escribió:",
        "Le ven. 21 nov. 2025 à 09:55, Support <s@example.org> a écrit :",
        "Le 21/11/2025 à 09:55, Support a écrit\xa0:",
        "Am Fr., 21. Nov. 2025 um 09:55 Uhr schrieb Support <s@example.org>:",
        "Am 21.11.2025 um 09:55 schrieb Support:",
        "Il giorno ven 21 nov 2025 alle ore 09:55 Support <s@example.org> ha scritto:",
        "Il 21/11/2025 09:55, Support ha scritto:",
        "Em sex., 21 de nov. de 2025 às 09:55, Suporte <s@example.org> escreveu:",
        "No dia 21/11/2025, às 09:55, Suporte <s@example.org>\nescreveu:",
        "Support <s@example.org> wrote:",
        "Support wrote:",
        "",
    ],
)
def test_a_quote_at_the_end_is_taken_out_with_its_heading(heading: str) -> None:
    parts = strip(f"{NEW}\n\n{heading}\n{QUOTE}\n" if heading else f"{NEW}\n\n{QUOTE}\n")
    assert parts.visible == NEW
    assert parts.quoted.strip() == f"{heading}\n{QUOTE}".strip()
    assert parts.signature == ""


@pytest.mark.parametrize(
    "block",
    [
        "From: Support <s@example.org>\nSent: Friday\nTo: Carla\nSubject: Order",
        "*From:* Support <s@example.org>\n*Sent:* Friday\n*To:* Carla\n*Subject:* Order",
        "________________________________\nFrom: Support\nSent: Friday\nTo: Carla\nSubject: Order",
        "De: Soporte <s@example.org>\nEnviado: viernes\nPara: Carla\nAsunto: Pedido",
        "De : Support <s@example.org>\nEnvoyé : vendredi\nÀ : Carla\nObjet : Commande",
        "Von: Support <s@example.org>\nGesendet: Freitag\nAn: Carla\nBetreff: Bestellung",
        "Da: Supporto <s@example.org>\nInviato: venerdì\nA: Carla\nOggetto: Ordine",
        "De: Suporte <s@example.org>\nEnviada em: sexta\nPara: Carla\nAssunto: Pedido",
        "From: Support\n\nSent: Friday\n\nTo: Carla\n\nSubject: Order",
        "-----Original Message-----\nhello",
        "-----Ursprüngliche Nachricht-----\nhallo",
        "-----Message d'origine-----\nbonjour",
        "-----Mensaje original-----\nhola",
        "-----Messaggio originale-----\nciao",
        "-----Mensagem original-----\nolá",
        "---------- Forwarded message ---------\nhello",
        "Begin forwarded message:\nhello",
        f"{REPLY_MARKER}\nWe got your mail.",
    ],
)
def test_unmarked_quotes_are_known_by_their_heading(block: str) -> None:
    text = f"{NEW}\n\n{block}\n\nShall we send it?\n"
    parts = strip(text)
    assert parts.visible == NEW
    assert block in parts.quoted


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nCarla\nAcme",
        "--\nCarla",
        "Sent from my iPhone",
        "Sent from Outlook for Android",
        "Get Outlook for iOS",
        "Enviado desde mi iPhone",
        "Envoyé de mon iPad",
        "Von meinem iPhone gesendet",
        "Gesendet von Mail für Windows",
        "Inviato da iPhone",
        "Enviado do meu smartphone",
        "-Carla",
        "_______________________________________________\nusers mailing list\nusers@example.org",
    ],
)
def test_signatures(signature: str) -> None:
    alone = strip(f"{NEW}\n\n{signature}\n")
    assert (alone.visible, alone.signature.strip()) == (NEW, signature)
    above = strip(f"{NEW}\n\n{signature}\n\nOn 1 May 2025, S <s@example.org> wrote:\n{QUOTE}\n")
    assert (above.visible, above.signature.strip()) == (NEW, signature)
    below = strip(f"{NEW}\n\nOn 1 May 2025, S <s@example.org> wrote:\n{QUOTE}\n\n{signature}\n")
    assert (below.visible, below.signature.strip()) == (NEW, signature)


@pytest.mark.parametrize(
    "text",
    [
        "> one?\nyes\n> two?\nno",
        "On 1 May 2025, S <s@example.org> wrote:\n> one?\n\nyes\n\n> two?\n\nno",
        "Hi,\n> one?\nyes",
        QUOTE,
        f"On 1 May 2025, S <s@example.org> wrote:\n{QUOTE}",
        "From: Support\nSent: Friday\nTo: Carla\nSubject: Order\n\nforwarded",
        "-- \nonly a signature",
        "----\nA line above, and more below.\n----\nThe end.",
        "On your host you can run:\n\n    telnet 192.0.2.1\n\nThat works.",
        "On Monday Bo wrote to me: no.\nWhat now?",
        "From: Paris\nit takes two hours.",
        "Sent from my desk, is much easier then my mobile phone.",
        "Shopping:\n\n- apples\n- pears",
        "a -- b",
        "",
        "\n\n",
    ],
)
def test_what_is_not_surely_a_quote_stays(text: str) -> None:
    parts = strip(text)
    assert (parts.visible, parts.quoted, parts.signature) == (text, "", "")


def test_an_answer_below_the_only_quote() -> None:
    parts = strip(f"On 1 May 2025, S <s@example.org> wrote:\n{QUOTE}\n\n{NEW}\n")
    assert parts.visible.strip() == NEW
    assert "Shall we" in parts.quoted


def test_the_quote_below_interleaved_answers_goes() -> None:
    parts = strip("> one?\n\nyes\n\n> two?\n\nno\n\n> Support\n")
    assert parts.visible == "> one?\n\nyes\n\n> two?\n\nno"
    assert parts.quoted.strip() == "> Support"


def test_long_texts_keep_every_line() -> None:
    words = "\n".join(f"line {n}" for n in range(MAX_LINES + 500))
    assert strip(words).visible == words
    quoted = "new\n\n" + "\n".join(f"> line {n}" for n in range(MAX_LINES + 500))
    assert strip(quoted).visible == "new"
    assert strip(quoted).quoted.count("\n") == MAX_LINES + 500


@pytest.mark.parametrize(
    "line", [">" * 766_000, "On 1 " * 100_000, "<" * 500_000, "-" * 500_000, " " * 500_000 + "x"]
)
def test_one_endless_line(line: str) -> None:
    assert strip(f"{line}\n{line}").visible.strip() != ""


# Of the source's reading we differ here: it drops quotes between answers, its own note says that
# keeping them is just as good.
DIFFERENT = {"roundup/secondquotingtest.expected.json"}


def test_the_corpus(corpus: Path) -> None:
    def tidy(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.splitlines()).strip()

    wrong, seen = set(), 0
    for path in sorted(corpus.rglob("*.expected.json")):
        want = json.loads(path.read_text(encoding="utf-8"))
        if "reply_text" in want:
            seen += 1
            raw = path.with_name(path.name.replace(".expected.json", ".eml")).read_bytes()
            if tidy(strip(parse(raw).text).visible) != tidy(want["reply_text"]):
                wrong.add(str(path.relative_to(corpus)))
    assert seen == 25
    assert wrong == DIFFERENT


@pytest.mark.parametrize(
    ("visible", "own"),
    [
        pytest.param("Done.\n\n##- above this line -##\nNote: secret", "Done.", id="marker"),
        pytest.param("Done.\n| ##- above -##\nsecret", "Done.", id="marker in a table"),
        pytest.param(
            "Done.\n\n____________\nVan: Support <s@x>\nAan: ana\nOnderwerp: Re: [#7] x\n\n##- a",
            "Done.",
            id="a heading in a language nobody taught us",
        ),
        pytest.param(
            "Done.\n\nOp 3 jan. schreef Support <s@x>:\n\n##- a", "Done.", id="an attribution"
        ),
        pytest.param("User: bob\nHost: a\n\n##- a", "User: bob\nHost: a", id="a list of one's own"),
        pytest.param("> old\nYes.\n> old 2\nNo.", "Yes.\nNo.", id="between the lines"),
        pytest.param("Words.", "Words.", id="nothing to take away"),
    ],
)
def test_own_words(visible: str, own: str) -> None:
    assert own_words(visible) == own
