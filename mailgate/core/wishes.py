"""What a customer can have by answering with a word: the state, the end, a rating, silence.

Strict, as in `core.thanks`: a wish is read only where a mail says nothing else. One piece of it is
a whole phrase of the tables below or a digit alone; beside it may stand a greeting, thanks, and the
sender's own name. Whatever else is there makes it a message for a person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailgate.core.policy import Customers, Policy
from mailgate.core.thanks import bare_thanks, courtesy
from mailgate.core.ticket import TicketView

MAX_TEXT = 300  # characters
MAX_PIECES = 8


class Want(StrEnum):
    """What can be wished for; the value is the word of traces and events."""

    STATE = "state"
    CLOSE = "close"
    RATE = "rate"
    MUTE = "mute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wished for, and the words they did it in."""

    want: Want
    words: str
    rating: int = 0  # 1 to 5 with Want.RATE


# Whole phrases in lower case and without accents, parted by "|". Words that answer a question as
# often as they state a wish ("done", "enough", "cancel") are left out.
_STATE: Mapping[str, str] = {
    "en": """status | state | status update | ticket status | request status | status of my ticket |
        status of my request | status of this ticket | status of this request | what is the status |
        what's the status | current status""",
    "es": """estado | estado actual | estado del ticket | estado de mi ticket | estado de la
        solicitud | estado de mi solicitud | estado del caso | estado de mi caso | cual es el
        estado | en que estado esta | en que estado se encuentra""",
    "fr": """statut | etat | etat d'avancement | statut du ticket | statut de ma demande | etat
        de ma demande | quel est le statut | quel est l'etat | quel est l'etat de ma demande |
        ou en est ma demande | ou en est-on | ou en sommes-nous""",
    "de": """status | stand | stand der dinge | aktueller stand | aktueller status | status der
        anfrage | status meiner anfrage | stand meiner anfrage | wie ist der stand |
        wie ist der status | wie ist der stand der dinge | was ist der stand""",
    "it": """stato | stato attuale | stato del ticket | stato della richiesta | stato della mia
        richiesta | qual e lo stato | a che punto siamo | a che punto e | a che punto e la mia
        richiesta""",
    "pt": """estado | status | estado atual | estado do ticket | estado do pedido | status do
        ticket | status do pedido | status do chamado | estado do meu pedido | status do meu
        pedido | qual e o estado | qual e o status | ponto de situacao""",
}
_CLOSE: Mapping[str, str] = {
    "en": """close | close it | close this | close ticket | close the ticket | close this ticket |
        close my ticket | close request | close the request | close this request | close my
        request | you can close it | you can close this | you can close the ticket | you can close
        this ticket | you can close the request | you can close this request | resolved | solved |
        it's resolved | it's solved | it is resolved | it is solved | this is resolved | this is
        solved | problem solved | problem resolved | issue solved | issue resolved""",
    "es": """cerrar | cierre | cierra | cierrelo | cierrenlo | cerrar ticket | cerrar el ticket |
        cierre el ticket | cerrar solicitud | cerrar la solicitud | cierre la solicitud | cerrar el
        caso | puede cerrar | puede cerrarlo | puede cerrarla | puede cerrar el ticket | puede
        cerrar la solicitud | pueden cerrar | pueden cerrarlo | pueden cerrarla | pueden cerrar el
        ticket | pueden cerrar la solicitud | resuelto | resuelta | solucionado | solucionada |
        esta resuelto | esta solucionado | ya esta resuelto | ya esta solucionado | problema
        resuelto | problema solucionado | asunto resuelto | caso resuelto""",
    "fr": """fermer | fermez | cloturer | cloturez | clore | fermer le ticket | cloturer le ticket |
        clore le ticket | fermer la demande | cloturer la demande | clore la demande | fermer ma
        demande | clore ma demande | cloturer ma demande | vous pouvez fermer | vous pouvez
        cloturer | vous pouvez fermer le ticket | vous pouvez cloturer le ticket | vous pouvez clore
        le ticket | vous pouvez fermer la demande | vous pouvez cloturer la demande | vous pouvez
        clore la demande | resolu | resolue | c'est resolu | probleme resolu | probleme regle""",
    "de": """schliessen | ticket schliessen | anfrage schliessen | das ticket schliessen | die
        anfrage schliessen | ticket kann geschlossen werden | das ticket kann geschlossen werden |
        anfrage kann geschlossen werden | die anfrage kann geschlossen werden | kann geschlossen
        werden | sie konnen das ticket schliessen | sie koennen das ticket schliessen | sie konnen
        die anfrage schliessen | sie koennen die anfrage schliessen | gelost | geloest | ist
        gelost | ist geloest | problem gelost | problem geloest | das problem ist gelost |
        das problem ist geloest | hat sich erledigt | das hat sich erledigt |
        es hat sich erledigt""",
    "it": """chiudere | chiudi | chiuda | chiudete | chiudere ticket | chiudere il ticket | chiudete
        il ticket | chiudere la richiesta | chiudete la richiesta | potete chiudere | puo chiudere |
        potete chiudere il ticket | puo chiudere il ticket | potete chiudere la richiesta | puo
        chiudere la richiesta | risolto | risolta | e risolto | problema risolto""",
    "pt": """fechar | feche | fechem | encerrar | encerre | encerrem | fechar ticket | fechar o
        ticket | fechar o pedido | fechar o chamado | encerrar o ticket | encerrar o pedido |
        encerrar o chamado | pode fechar | podem fechar | pode encerrar | podem encerrar | pode
        fechar o ticket | podem fechar o ticket | pode fechar o pedido | podem fechar o pedido |
        pode encerrar o chamado | podem encerrar o chamado | resolvido | resolvida | esta
        resolvido | ja esta resolvido | problema resolvido""",
}
_MUTE: Mapping[str, str] = {
    "en": """stop | unsubscribe | unsubscribe me | mute | mute this ticket | mute this request |
        stop mails | stop emails | no more mails | no more emails""",
    "es": """baja | darme de baja | dar de baja | deme de baja | silenciar | no mas correos |
        cancelar suscripcion | cancelar la suscripcion""",
    "fr": """stop | arreter | desabonner | desabonnez-moi | me desabonner | se desabonner |
        desabonnement | desinscription | me desinscrire | plus de mails | plus d'e-mails""",
    "de": """stopp | stop | abmelden | mich abmelden | abbestellen | stummschalten | keine mails
        mehr | keine e-mails mehr | keine emails mehr""",
    "it": """stop | disiscrivimi | disiscrivetemi | disiscrizione | disiscrivermi | annulla
        iscrizione | annullare l'iscrizione | silenziare | niente piu mail | niente piu email""",
    "pt": """parar | cancelar inscricao | cancelar subscricao | cancelar a inscricao | cancelar a
        subscricao | descadastrar | silenciar | chega de emails""",
}
_PLEASE = re.compile(
    r"(?:please|pls|plz|por favor|porfa|se faz favor|s'il vous plait|s'il te plait|svp|stp|bitte"
    r"|per favore|per cortesia|per piacere)"
)


def _phrases(table: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    return {
        language: frozenset(" ".join(phrase.split()) for phrase in row.split("|"))
        for language, row in table.items()
    }


_WANTS = {
    Want.STATE: _phrases(_STATE),
    Want.CLOSE: _phrases(_CLOSE),
    Want.MUTE: _phrases(_MUTE),
}
LANGUAGES = tuple(_STATE)
_DIGIT = re.compile(r"([1-5])(?: ?/ ?5)?")
_PIECE_END = re.compile(r"\n|[.,;:!…]+(?=\s|$)")
_AROUND = " \t\xa0*_\"“”„«»‘’'()[]¿"


def wish(
    words: str, language: str, ticket: TicketView, policy: Policy, *, name: str = ""
) -> Wish | None:
    """The wish that these new words of a mail are, if they are one that `policy` grants here.

    `name` is what the sender is called; those words may stand below the wish. A rating is one only
    on a ticket that is resolved or closed, an end only where the life cycle knows a way there.
    """
    found = bare(words, language, policy, name=name)
    if found is None:
        return None
    over = ticket.status in (policy.life.resolved, policy.life.closed)
    if found.want is Want.RATE and not over:
        return None
    if found.want is Want.CLOSE and not over and not end(ticket, policy):
        return None
    return found


def end(ticket: TicketView, policy: Policy) -> str:
    """The status that a ticket comes to when its customer ends it; "" when none is legal."""
    wanted = (policy.life.resolved, policy.life.closed)
    return next((s for s in wanted if policy.life.may(ticket.status, s)), "")


def bare(words: str, language: str, policy: Policy, *, name: str = "") -> Wish | None:
    """The same before the ticket is known: a wish that could be granted on some ticket."""
    text = unicodedata.normalize("NFC", words).replace("’", "'").replace("´", "'").strip()
    if not text or len(text) > MAX_TEXT or bare_thanks(text, language):
        return None
    pieces = [piece for found in _PIECE_END.split(text) if (piece := found.strip(_AROUND))]
    if len(pieces) > MAX_PIECES:
        return None
    read = [(_read(piece, language), piece) for piece in pieces]
    wishes = [found for found, _ in read if found]
    if len(wishes) != 1 or not _granted(wishes[0].want, policy.customers):
        return None
    own = frozenset(_plain(name).replace("-", " ").split())
    others = [piece for found, piece in read if not found]
    beside = all(courtesy(piece, language) or _is_own(piece, own) for piece in others)
    return wishes[0] if beside else None


def _granted(want: Want, customers: Customers) -> bool:
    return {
        Want.STATE: customers.status,
        Want.CLOSE: customers.close,
        Want.RATE: customers.rating,
        Want.MUTE: customers.stop,
    }[want]


def _read(piece: str, language: str) -> Wish | None:
    if digit := _DIGIT.fullmatch(piece):
        return Wish(want=Want.RATE, words=piece, rating=int(digit[1]))
    asked = piece.endswith("?")
    phrase = _without_please(_plain(piece.rstrip("? \xa0")))
    spoken = {language, "en"} if language in LANGUAGES else set(LANGUAGES)
    for want, table in _WANTS.items():
        if asked and want is not Want.STATE:
            continue  # "close?" asks whether we do, or whether they should
        if any(phrase in table[one] for one in spoken):
            return Wish(want=want, words=piece)
    return None


def _without_please(phrase: str) -> str:
    words = " ".join(phrase.split())
    for cut in (_PLEASE.match(words),):
        if cut and words[cut.end() : cut.end() + 1] == " ":
            words = words[cut.end() + 1 :]
    behind = re.search(rf" {_PLEASE.pattern}$", words)
    return words[: behind.start()] if behind else words


def _is_own(piece: str, own: frozenset[str]) -> bool:
    """Whether a piece is the sender's name, or only says please."""
    plain = _plain(piece)
    return bool(_PLEASE.fullmatch(plain)) or set(plain.replace("-", " ").split()) <= own


def _plain(text: str) -> str:
    """In lower case and without accents."""
    folded = unicodedata.normalize("NFD", text.lower().replace("ß", "ss"))
    return "".join(c for c in folded if not unicodedata.combining(c))
