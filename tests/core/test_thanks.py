"""Bare thanks: what says no more than thank you, in six languages, and what only seems to."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.core.parse import parse
from mailgate.core.strip import strip
from mailgate.core.thanks import MAX_TEXT, MAX_WORDS, THANKS, bare_thanks

# One mail per line; a bar is the end of a line in it.
YES = {
    "en": """Thanks!
Thank you very much.
ok perfect, thanks!
Great, thank you so much for your quick help!
It works now, thank you
Perfect. Thanks a lot, Ana!
Hi Ana,||thanks for the quick reply.||Best regards,|Rita Meyer
Thx
Many thanks, all is well now it works
OK
Awesome, that fixed it. Thank you!
Thank you for your support.
Thanks for getting back to me!||Cheers,|Rita
Dear support team,||Thank you for the information.||Kind regards|Rita
Much appreciated!
thanks 👍
it works now thank you
Noted, thanks.
Thank you|Sent from my iPhone""",
    "es": """¡Gracias!
Muchas gracias, saludos
Muchísimas gracias por su ayuda.
Ok perfecto, gracias
Ya funciona, muchas gracias
Perfecto, mil gracias por todo
Hola Ana:||Muchas gracias por la respuesta.||Un saludo,|Rita
Vale, gracias
Gracias por la rápida respuesta.
Se lo agradezco mucho
Solucionado, gracias
Genial, muchas gracias!|Saludos cordiales
Buenos días, gracias por su atención
Muy amable, gracias
Estimado equipo: muchas gracias por su tiempo. Atentamente, Rita Pérez
De acuerdo, gracias.
Todo perfecto, gracias""",
    "fr": """Merci !
Merci beaucoup
Parfait, merci beaucoup !
Bonjour,||Merci pour votre aide.||Cordialement,|Rita Dupont
Ça marche, merci
Super, merci bien
Je vous remercie pour votre retour rapide.
Un grand merci à toute l'équipe
Mille mercis
C'est parfait, merci
D'accord, merci
Merci Ana
Bien reçu, merci.
Tout fonctionne maintenant, merci beaucoup.
Problème résolu, merci
Merci pour tout, bonne journée
Merci de votre aide""",
    "de": """Danke!
Vielen Dank
vielen Dank, funktioniert!
Vielen Dank für Ihre schnelle Hilfe.
Hallo Ana,||danke für die schnelle Antwort.||Mit freundlichen Grüßen|Rita Meyer
Super, danke
Perfekt, vielen Dank!
Herzlichen Dank und viele Grüße
Alles klar, danke
Es funktioniert jetzt, vielen Dank!
Besten Dank, LG Rita
Klasse, hat geklappt. Danke dir!
Dankeschön
Ich danke Ihnen vielmals
Sehr geehrte Frau Meyer,||vielen Dank für die Information.||MfG|Karl Schmidt
Danke, problem gelöst
Liebes Team, tausend Dank! Schönes Wochenende""",
    "it": """Grazie!
Grazie mille
Molte grazie, cordiali saluti
Perfetto, grazie
Ora funziona, grazie mille
Buongiorno,||grazie per la risposta.||Cordiali saluti|Rita Rossi
Grazie per il vostro aiuto
Ottimo, grazie infinite
La ringrazio molto
Va bene, grazie
Ok grazie
Ciao Ana, grazie!
Risolto, grazie
Grazie a tutti
Vi ringrazio per la disponibilità. Buona giornata
Tutto a posto, grazie
Grazie di tutto""",
    "pt": """Obrigado!
Muito obrigada
Muito obrigado pela ajuda
Ok, obrigado
Já funciona, muito obrigado
Perfeito, obrigada!
Bom dia,||Obrigado pela resposta rápida.||Cumprimentos,|Rita Sousa
Valeu
Olá Ana, muito obrigada!
Agradeço muito a atenção
Tudo certo, obrigado
Problema resolvido, obrigado
Obrigado por tudo. Um abraço
Certo, obrigado
Muito grato pela atenção. Atenciosamente, Rita
Tudo ok, obrigada
Agora está funcionando, obrigada""",
}
NO = {
    "en": """Thanks, but it still fails
Thanks for nothing
Thank you. However, the printer is offline.
Thanks, it does not work.
Thanks! Can you also look at the other one?
Thanks again
thanks. please close the ticket
Thanks in advance
Is it working now, thanks
Thank you, my order is 1042
Thanks, help!
THANKS PRINTER DEAD
Great, now nothing works
Thank you for calling me back tomorrow
Thanks for the reply. I will try it.
Best regards, Rita
Hello
ok, when
Thanks, it fails
👎
No thanks
Thank you, what about the invoice""",
    "es": """no gracias, sigue sin funcionar
Gracias por nada
Gracias, pero todavía falla
Gracias. ¿Y la factura?
Gracias de antemano
Muchas gracias, aún no funciona
Gracias, necesito otra cosa
Perfecto, cierre el caso
Gracias, me falta la factura
Hola
Saludos
Gracias, me llama mañana
Muchas gracias por no responder
Gracias, sigo igual
De nada
Gracias, mi pedido es el 42""",
    "fr": """Merci, mais ça ne marche pas
Merci pour rien
Merci de me rappeler
Merci d'avance
Merci. Et la facture ?
Merci, toujours en panne
Merci encore
Non merci
Merci de fermer le ticket
Bonjour
Cordialement
Ça ne fonctionne toujours pas, merci
Merci, je vais essayer
Merci, il manque la facture
Parfait, quand arrive le colis
Merci, le numéro est 12""",
    "de": """Danke für nichts
Danke, aber es geht nicht
Vielen Dank, leider funktioniert es nicht
Danke, bitte schließen
Danke im Voraus
Vielen Dank für Ihren Rückruf morgen
Danke, geht immer noch nicht
Danke. Und die Rechnung?
Danke, Drucker kaputt
Danke, ich melde mich
Nein danke
Hallo
Mit freundlichen Grüßen
Danke, Fehler 42
Danke, wann kommt der Techniker
Super, jetzt geht gar nichts mehr""",
    "it": """Grazie, ma non funziona
Grazie di niente
No grazie
Grazie in anticipo
Grazie, ancora errore
Grazie, e la fattura?
Grazie, mi richiami
Buongiorno
Cordiali saluti
Grazie per nulla
Perfetto, però manca la fattura
Grazie, proverò domani
Grazie, il numero è 12
Grazie, chiuda il ticket
Va bene, quando arriva
Grazie se mi richiama""",
    "pt": """Obrigado, mas não funciona
Obrigado por nada
Não, obrigado
Obrigado, ainda falha
Obrigado. E a fatura?
Obrigado desde já
Obrigada, preciso de outra coisa
Olá
Cumprimentos
Obrigado, o número é 12
Obrigado, feche o chamado
Perfeito, porém falta a fatura
Obrigado, vou tentar
Obrigado, continua igual
Ótimo, quando chega
Obrigada, me ligue amanhã""",
}


def lines(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(lang, words.replace("|", "\n")) for lang in table for words in table[lang].split("\n")]


def test_each_language_has_its_words_and_enough_examples() -> None:
    for language in THANKS:
        assert len(YES[language].split("\n")) >= 15
        assert len(NO[language].split("\n")) >= 15


@pytest.mark.parametrize(("language", "words"), lines(YES))
def test_bare_thanks(language: str, words: str) -> None:
    assert bare_thanks(words, language)
    assert bare_thanks(words), "also where nobody knows the language"
    assert bare_thanks(f"\r\n  {words}  \r\n", "xx")
    assert bare_thanks(words.replace("'", "’"), language)


@pytest.mark.parametrize(("language", "words"), lines(NO))
def test_no_bare_thanks(language: str, words: str) -> None:
    assert not bare_thanks(words, language)
    assert not bare_thanks(words)


@pytest.mark.parametrize(("language", "words"), lines(YES))
def test_one_word_turns_it_round(language: str, words: str) -> None:
    """A question mark, a number, or the printer make it something else, wherever they stand."""
    assert not bare_thanks(f"{words}?", language)
    assert not bare_thanks(f"{words} 7", language)
    assert not bare_thanks(f"printer\n{words}", language)
    assert not bare_thanks(f"{words}\nbut", language)


@pytest.mark.parametrize("words", ["", " \n", "...", "--", "\U0001f621", "Rita", "Rita Meyer"])
def test_nothing_is_no_thanks(words: str) -> None:
    assert not bare_thanks(words)


def test_a_smile_alone_is_thanks_enough() -> None:
    assert bare_thanks("\U0001f44d\U0001f3fd")
    assert bare_thanks(":-)")


def test_a_long_text_is_never_one() -> None:
    assert bare_thanks("thanks " * MAX_WORDS)
    assert not bare_thanks("thanks " * (MAX_WORDS + 1))
    assert not bare_thanks("thanks" + "." * MAX_TEXT)


def test_no_mail_of_the_corpus_that_says_more_is_taken_for_thanks(corpus: Path) -> None:
    """None of the 475 real mails is a bare thank-you; whichever is found had to be looked at."""
    found = set()
    for path in sorted(corpus.rglob("*.eml")):
        mail = parse(path.read_bytes())
        words = strip(mail.text).visible
        if bare_thanks(words):
            found.add(f"{path.parent.name}/{path.name}: {words!r}")
    assert found == set()
