"""Wishes by reply: what is one in six languages, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.parse import parse
from mailgate.core.policy import Customers, Policy
from mailgate.core.ticket import LifeCycle
from mailgate.core.wishes import LANGUAGES, MAX_TEXT, Want, Wish, bare, end, wish
from tests.core.samples import ticket

POLICY = Policy()
OPEN, DONE, CLOSED = (ticket(status=status) for status in ("open", "resolved", "closed"))
# One mail per line; a bar is the end of a line in it.
WISHES = {
    Want.STATE: {
        "en": "status?|Status|STATUS ??|What's the status?|What’s the status?|Status update please",
        "es": "¿Estado?|estado|¿Cuál es el estado?|¿En qué estado está?|Estado, por favor",
        "fr": "Statut ?|état ?|Où en est ma demande ?|Quel est l’état de ma demande ?|statut svp",
        "de": "Status?|Stand?|Wie ist der Stand?|Stand der Dinge?|Status bitte",
        "it": "Stato?|A che punto siamo?|Qual è lo stato?|stato della richiesta, per favore",
        "pt": "Estado?|status?|Estado do pedido?|Qual é o estado?|Ponto de situação, por favor",
    },
    Want.CLOSE: {
        "en": "Close|close.|Please close|Close this ticket, please.|Solved!|It's resolved",
        "es": "Resuelto|resuelto.|Cerrar|Ya está resuelto|Pueden cerrar el ticket, por favor",
        "fr": "Résolu|resolu|Clore la demande|Fermer le ticket, s’il vous plaît|C’est résolu",
        "de": "Gelöst|geloest|Ticket schließen|Bitte Ticket schliessen|Hat sich erledigt.",
        "it": "Risolto|chiudere|Potete chiudere il ticket|È risolto|Chiudete per favore",
        "pt": "Resolvido|Fechar|Podem encerrar o chamado|Já está resolvido|Fechar por favor",
    },
    Want.MUTE: {
        "en": "stop|STOP|Unsubscribe|stop emails please|No more emails",
        "es": "Baja|baja.|Darme de baja|No más correos, por favor",
        "fr": "Arrêter|arreter|Désabonner|Plus de mails|stop",
        "de": "Abmelden|Stopp|Keine Mails mehr|Bitte abmelden",
        "it": "Disiscrivimi|Stop|Annulla iscrizione|disiscrivetemi per favore",
        "pt": "Parar|Cancelar inscrição|Descadastrar|parar por favor",
    },
}
SAID = [
    pytest.param(words, language, want, id=f"{want}-{language}-{words}")
    for want, table in WISHES.items()
    for language, row in table.items()
    for words in row.split("|")
]
BESIDE = """
Hello,||status?||Thanks,|Rita
Hi|close|Best regards|Rita Vega
Close|--|Rita
Hola:||¿Estado?||Un saludo,|Rita Vega
Bonjour,||Résolu.||Cordialement,|Rita
Guten Tag,||Status?||Mit freundlichen Grüßen|Rita Vega
Close this ticket. Thank you!
stop||Sent from my iPhone
*Status?*
"close"
"""
NOT = """
Please close the window.
close the door
Close|Window Two
Close|the window please
Close?
Do not close.
Don't close
Not solved
It is not resolved.
unresolved
No resuelto
No está resuelto
Pas résolu
Nicht gelöst
Ist das gelöst?
Non risolto
Não resolvido
Stop it from crashing
stop it
Stop sending the invoices to Bob
Stop?
Can you stop?
Arrêter la machine
Baja el precio
Status of my order?
Status of my order? I have been waiting for a week.
The status is wrong
Status: broken
status|It still does not print.
Status?|Close
Close, stop
> close
close > window
done
ok
Basta
cancel
Cancelar
Hecho
erledigt
5 users affected
Solved, thanks!
Thanks
Rita
"""
NOT_DIGITS = """
0
6
5 6
5, 4
45
5 stars or 4
five
5 users
5th
-5
5%
5/4
5 / 10
4.5
٣
３
⁵
"""


def lines(table: str) -> list[str]:
    return [line.replace("|", "\n") for line in table.strip().splitlines()]


def found(words: str, language: str = "", policy: Policy = POLICY) -> Want | None:
    got = wish(words, language, DONE, policy, name="Rita Vega")
    return got.want if got else None


@pytest.mark.parametrize(("words", "language", "want"), SAID)
def test_a_wish_in_six_languages(words: str, language: str, want: Want) -> None:
    assert found(words, language) is want
    assert found(words) is want  # few words tell no language
    assert found(f"{words}\n\nRita") is want


@pytest.mark.parametrize("words", lines(BESIDE))
def test_courtesy_and_the_own_name_may_stand_beside(words: str) -> None:
    assert found(words) is not None


@pytest.mark.parametrize("words", [*lines(NOT), "", " ", "?", "\n\n"])
@pytest.mark.parametrize("language", ["", *LANGUAGES])
def test_anything_else_is_a_message(words: str, language: str) -> None:
    assert found(words, language) is None


@pytest.mark.parametrize("digit", range(1, 6))
@pytest.mark.parametrize(
    "form", ["{}", "{}!", "{}.", " {} ", "{}/5", "{}\n\nThanks,\nRita", "({})"]
)
def test_a_digit_after_the_end_is_the_rating(digit: int, form: str) -> None:
    for over in (DONE, CLOSED):
        got = wish(form.format(digit), "", over, POLICY, name="Rita Vega")
        assert got is not None
        assert (got.want, got.rating) == (Want.RATE, digit)


@pytest.mark.parametrize("status", ["new", "open", "waiting"])
def test_a_digit_before_the_end_is_an_answer(status: str) -> None:
    assert wish("5", "", ticket(status=status), POLICY) is None


@pytest.mark.parametrize("words", lines(NOT_DIGITS))
def test_other_numbers_are_no_rating(words: str) -> None:
    assert found(words) is None


def test_a_name_is_the_senders_or_none() -> None:
    assert bare("Close\nRita Vega", "", POLICY, name="Rita Vega") is not None
    assert bare("Close\nRITA", "", POLICY, name="Rita Vega") is not None
    assert bare("Close\nRita Vega", "", POLICY, name="Carl Vega") is None
    assert bare("Close\nRita Vega", "", POLICY) is None


def test_a_text_that_is_too_long_is_never_read() -> None:
    many = "\n" * 5 + "stop" + " " * MAX_TEXT
    assert bare(many, "", POLICY) is not None  # blanks around it are none of its words
    assert bare("stop" + " " * MAX_TEXT + "Thanks", "", POLICY) is None


@pytest.mark.parametrize(
    ("off", "words"),
    [("status", "status?"), ("close", "close"), ("rating", "5"), ("stop", "stop")],
)
def test_each_wish_can_be_turned_off(off: str, words: str) -> None:
    policy = replace(POLICY, customers=Customers(**{off: False}))
    assert found(words, policy=policy) is None
    others = {"status?", "close", "5", "stop"} - {words}
    assert [w for w in others if found(w, policy=policy) is None] == []


def test_the_end_is_resolved_or_else_closed_or_none() -> None:
    to_closed = replace(POLICY, life=LifeCycle(transitions={"open": ("closed",)}))
    nowhere = replace(POLICY, life=LifeCycle(transitions={"open": ("waiting",)}))
    assert end(OPEN, POLICY) == "resolved"
    assert end(OPEN, to_closed) == "closed"
    assert end(OPEN, nowhere) == ""
    assert wish("close", "", OPEN, to_closed) == Wish(want=Want.CLOSE, words="close")
    assert wish("close", "", OPEN, nowhere) is None


@given(st.text(max_size=MAX_TEXT + 20), st.sampled_from(["", *LANGUAGES, "xx"]))
def test_any_text_is_read_without_a_fault(words: str, language: str) -> None:
    got = wish(words, language, DONE, POLICY, name=words[:10])
    assert got is None or (got.rating in range(1, 6)) == (got.want is Want.RATE)


@given(
    st.sampled_from([row.split("|")[0] for t in WISHES.values() for row in t.values()]),
    st.from_regex(r"[a-z]{3,12}( [a-z]{3,12}){2,6}", fullmatch=True),
)
def test_a_wish_with_words_of_no_table_beside_it_is_none(words: str, more: str) -> None:
    assert bare(f"{words}\nqx{more}", "", POLICY) is None
    assert bare(f"qx{more} {words}", "", POLICY) is None


def test_no_mail_of_the_corpus_is_a_wish_by_chance(corpus: Path) -> None:
    """Real mails of people: whatever is found has to say just that."""
    texts = {}
    for path in sorted(corpus.rglob("*.eml")):
        raw = path.read_bytes()
        if len(raw) < 100_000:
            mail = parse(raw)
            if got := bare(mail.visible, mail.language, POLICY):
                texts[path.name] = (got.want, mail.visible.strip())
    assert texts == {}
