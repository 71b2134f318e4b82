"""Disclaimers: what a company's server or a virus scanner puts above or below the words of a mail.

A paragraph counts when several tell-tale phrases of one language stand in it and nobody speaks of
themselves. Who writes "I am not the intended recipient" has something to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MIN_LENGTH = 70  # characters of a paragraph that is known by its phrases alone
_NEEDED = 3  # phrases
_MIN_BANNER, _MAX_BANNER = 40, 600  # characters

# One of these is enough.
_SURE: Mapping[str, tuple[str, ...]] = {
    "en": ("the environment before printing", "scanned for viruses", "virus-free. www",
           "checked for viruses by", "this email has been scanned", "print this e-mail only if",
           "virus-free.www"),
    "es": ("antes de imprimir este", "antes de imprimir, ", "libre de virus. www"),
    "fr": ("avant d'imprimer", "n'imprimez ce", "sans virus. www"),
    "de": ("bevor sie diese e-mail ausdrucken", "denken sie an die umwelt", "virenfrei. www",
           "vor dem ausdrucken", "auf viren geprüft"),
    "it": ("prima di stampare", "privo di virus. www"),
    "pt": ("antes de imprimir", "livre de vírus. www"),
    "nl": ("aan het milieu voordat", "virusvrij. www"),
    "sv": ("tänk på miljön innan", "virusfri. www"),
    "da, nb": ("tænk på miljøet", "tenk på miljøet"),
    "pl": ("zanim wydrukujesz", "wolny od wirusów. www"),
    "ru": ("прежде чем распечатать", "без вирусов. www"),
}  # fmt: skip

# Three of these in one paragraph are.
_PHRASES: Mapping[str, tuple[str, ...]] = {
    "en": ("mail", "message", "confidential", "privileged", "intended recipient", "intended solely",
           "intended only", "solely for the use", "in error", "notify the sender", "unauthori",
           "disclos", "prohibited", "attachment", "delete it", "liability", "disseminat",
           "addressee", "legally"),
    "es": ("mensaje", "correo", "confidencial", "destinatario", "por error", "remitente",
           "prohibid", "protección de datos", "2016/679", "rgpd", "lopd", "responsable del trat",
           "divulgación", "privilegiada", "ficheros adjuntos", "archivos adjuntos"),
    "fr": ("message", "courriel", "confidentiel", "destinataire", "par erreur", "expéditeur",
           "toute utilisation", "pièces jointes", "interdit", "diffusion", "responsabilité",
           "altéré"),
    "de": ("e-mail", "nachricht", "vertraulich", "rechtlich geschützt", "richtige adressat",
           "vorgesehene empfänger", "irrtümlich", "absender", "vernichten sie", "unbefugt",
           "unerlaubt", "weitergabe", "nicht gestattet", "löschen sie", "handelsregister",
           "geschäftsführer"),
    "it": ("messaggio", "e-mail", "riservat", "confidenzial", "destinatari", "per errore",
           "mittente", "vietat", "2016/679", "d.lgs", "divulgazione", "allegati"),
    "pt": ("mensagem", "e-mail", "confidencia", "destinatári", "por engano", "por erro",
           "remetente", "proibid", "divulgação", "anexos", "2016/679"),
    "nl": ("e-mail", "bericht", "vertrouwelijk", "bestemd voor", "geadresseerde", "ten onrechte",
           "afzender", "verspreiding", "openbaarmaking", "aansprakelijk", "niet toegestaan"),
    "sv": ("meddelande", "e-post", "konfidentiell", "avsedd", "mottagare", "av misstag",
           "avsändare", "obehörig"),
    "da, nb": ("mail", "e-post", "fortrolig", "konfidensiell", "modtager", "mottaker",
               "ved en fejl", "ved en feil", "afsender", "avsender", "uberettiget"),
    "pl": ("wiadomość", "wiadomości", "poufn", "adresat", "omyłkow", "nadawc", "zabronion",
           "odbiorc", "rozpowszechnia", "załącznik"),
    "ru": ("сообщени", "письмо", "конфиденциальн", "адресат", "получател", "по ошибке",
           "отправител", "запрещ", "вложени"),
}  # fmt: skip

# A line that says nothing else opens one that goes on to the end.
_TITLES: Mapping[str, tuple[str, ...]] = {
    "en": ("disclaimer", "confidentiality notice", "legal notice", "legal disclaimer",
           "confidentiality", "privacy notice", "e-mail disclaimer", "email disclaimer"),
    "es": ("aviso legal", "aviso de confidencialidad", "confidencialidad",
           "cláusula de confidencialidad", "protección de datos"),
    "fr": ("avertissement", "mentions légales", "avis de confidentialité", "confidentialité"),
    "de": ("haftungsausschluss", "vertraulichkeitshinweis", "rechtlicher hinweis",
           "rechtliche hinweise"),
    "it": ("avvertenze legali", "avviso di riservatezza", "nota di riservatezza",
           "informativa sulla privacy"),
    "pt": ("aviso legal", "aviso de confidencialidade", "confidencialidade"),
    "nl": ("disclaimer", "vertrouwelijkheidsverklaring"),
}  # fmt: skip

_BANNERS: Mapping[str, tuple[str, ...]] = {
    "en": ("originated from outside", "email is from an external", "external email:",
           "sent from outside", "from an external sender", "you don't often get email from",
           "came from outside of"),
    "es": ("se originó fuera de", "procede de fuera de", "correo externo", "remitente externo",
           "no suele recibir correo"),
    "fr": ("provient de l'extérieur", "expéditeur externe", "message externe",
           "vous ne recevez pas souvent"),
    "de": ("von außerhalb", "externen absender", "externe e-mail", "stammt von extern",
           "sie erhalten nicht oft"),
    "it": ("proviene dall'esterno", "mittente esterno", "all'esterno dell'organizzazione"),
    "pt": ("originou-se de fora", "remetente externo", "originado fora"),
}  # fmt: skip
_FIRST_PERSON = frozenset(
    [
        "i",
        "i'm",
        "i've",
        "i'd",
        "me",
        "my",
        "mine",
        "ich",
        "mir",
        "mich",
        "mein",
        "meine",
        "meiner",
        "yo",
        "mí",
        "he",
        "je",
        "j'ai",
        "mon",
        "ma",
        "mes",
        "moi",
        "ho",
        "mio",
        "mia",
        "mi",
        "eu",
        "meu",
        "minha",
        "recebi",
        "ik",
        "mijn",
        "jag",
        "jeg",
        "mitt",
        "mit",
        "min",
        "mam",
        "mój",
        "moja",
        "otrzymałem",
        "otrzymałam",
        "я",
        "мне",
        "мой",
        "моя",
        "меня",
    ]
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def title(line: str) -> str:
    """The language of a line that is the title of a disclaimer, "" when it is none."""
    bare = _fold(line).strip(" *_#:.-=|\t")
    return next((lang for lang, titles in _TITLES.items() if bare in titles), "")


def disclaimer(paragraph: str) -> str:
    """The language of a paragraph that is a disclaimer, "" when it is none."""
    text = _fold(paragraph)
    for language, phrases in _SURE.items():
        if any(phrase in text for phrase in phrases):
            return language
    if len(text) < MIN_LENGTH:
        return ""
    best = max(_PHRASES, key=lambda language: _count(text, language))
    if _count(text, best) < _NEEDED or not _FIRST_PERSON.isdisjoint(_WORD.findall(text)):
        return ""
    return best


def banner(paragraph: str) -> str:
    """The language of what a mail server warns of above a mail from outside, "" for other words."""
    text = _fold(paragraph)
    if not _MIN_BANNER <= len(text) <= _MAX_BANNER:
        return ""
    found = (lang for lang, phrases in _BANNERS.items() if any(p in text for p in phrases))
    language = next(found, "")
    return language if language and _FIRST_PERSON.isdisjoint(_WORD.findall(text)) else ""


def _count(text: str, language: str) -> int:
    return sum(phrase in text for phrase in _PHRASES[language])


def _fold(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())
