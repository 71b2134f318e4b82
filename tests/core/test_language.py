"""Which language a few words are in."""

from __future__ import annotations

import pytest

from mailgate.core.language import detect

ALL = ("en", "es", "fr", "de", "it", "pt")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Hello, my printer does not work."),
        ("en", "Order arrived broken, please send a new one"),
        ("en", "Don't know what happened to it"),
        ("es", "Hola, no puedo entrar en mi cuenta."),
        ("es", "¿Cuándo llega mi pedido?"),
        ("es", "El servidor no responde desde ayer"),
        ("fr", "Bonjour, je n’arrive pas à me connecter."),
        ("fr", "L'imprimante ne marche plus"),
        ("fr", "Le serveur ne répond plus depuis hier"),
        ("de", "Hallo, mein Drucker geht nicht."),
        ("de", "Wann kommt meine Bestellung?"),
        ("de", "Der Server antwortet seit gestern nicht mehr"),
        ("it", "Ciao, non riesco ad accedere."),
        ("it", "Quando arriva il mio ordine?"),
        ("it", "Il server non risponde da ieri"),
        ("pt", "Olá, não consigo entrar na minha conta."),
        ("pt", "Obrigado pela ajuda"),
        ("pt", "O servidor não responde desde ontem"),
        ("", "12345"),
        ("", "Re: invoice"),
        ("", ""),
        ("", "日本語のメールです"),
    ],
)
def test_short_texts(language: str, text: str) -> None:
    assert detect(text, ALL) == language


def test_only_allowed_languages_are_named() -> None:
    assert detect("Hallo, mein Drucker geht nicht.", ("en", "fr")) == ""


def test_only_the_beginning_counts() -> None:
    assert detect("x" * 2000 + " Hallo, mein Drucker geht nicht.", ALL) == ""
