"""Mails that say nothing but thank you, in English, Spanish, French, German, Italian, Portuguese.

Strict, as the two mistakes do not weigh the same: a thank-you not known as one opens a ticket
again, a request taken for one is overlooked. So each word has to be known in its place, and one
word that may turn the meaning round is enough for no.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

MAX_WORDS = 25
MAX_TEXT = 1000  # characters

# All tables are written without accents and in lower case, as people write in a hurry; "/" parts
# the words that a piece of a mail must have one of from those that may stand beside them.
THANKS: Mapping[str, str] = {
    "en": """thanks thank thankyou thx tnx ty cheers appreciated appreciate grateful /
        you so very much many a lot million bunch big all everyone team guys and ok okay great
        perfect wonderful excellent yes i really we for the your this that kind quick fast prompt
        swift speedy rapid timely help helping support reply response answer assistance update
        information info service work effort efforts solution time patience explanation everything
        fixing solving sorting out it letting me know getting back to indeed it's it is""",
    "es": """gracias agradezco agradecemos agradecido agradecida amable amables /
        muchas muchisimas mil un millon de muy mucho a todos ti usted vosotros ustedes equipo y ok
        vale perfecto genial estupendo excelente si te se os lo le por toda todo su tu la el vuestra
        vuestro esta este rapida rapido rapidez gran pronta buena buen ayuda ayudarme respuesta
        responder contestar apoyo atencion informacion soporte tiempo colaboracion servicio
        trabajo solucion gestion interes paciencia avisar solucionarlo resolverlo arreglarlo tan""",
    "fr": """merci mercis remercie remercions /
        beaucoup bien infiniment mille fois un grand a tous vous toi toute l'equipe je te nous
        vivement pour de votre ton ta vos l' la le cette et ok parfait super genial excellent oui
        tres excellente rapide precieuse bonne aide l'aide reponse retour support soutien
        assistance information l'information informations infos l'info temps patience travail
        reactivite rapidite efficacite intervention solution service disponibilite tout d'avoir
        repondu si rapidement""",
    "de": """danke dank dankeschon merci danken bedanke /
        vielen besten herzlichen herzlich tausend lieben schonen recht ganz schon sehr vielmals
        euch ihnen dir an alle das team ich wir mich und ok okay super perfekt prima toll klasse ja
        fur fuer die ihre deine eure den alles ihren deinen euren der schnelle rasche prompte
        tolle freundliche gute nette schnellen kompetente hilfe antwort unterstutzung
        unterstuetzung ruckmeldung rueckmeldung hilfestellung info information informationen losung
        loesung arbeit muhe muehe service support geduld auskunft erledigung bearbeitung""",
    "it": """grazie ringrazio ringraziamo ringraziarvi gentilissimi gentilissimo gentilissima /
        molte tante mille infinite moltissime a tutti voi te lei di cuore davvero e ok perfetto
        ottimo benissimo si la vi ti molto tanto infinitamente per della del dell' il l' tutto
        vostra vostro sua suo tua tuo rapida rapido pronta pronto veloce gentile prezioso preziosa
        aiuto l'aiuto dell'aiuto risposta supporto assistenza l'assistenza informazione
        informazioni disponibilita tempo pazienza lavoro celerita riscontro soluzione
        collaborazione cortesia""",
    "pt": """obrigado obrigada obrigadao obg grato grata gracas agradeco agradecemos agradecido
        agradecida valeu /
        muito muitissimo imensamente imenso muitas mil a todos voces mesmo e ok perfeito otimo
        excelente sim pela pelo pelas pelos por toda todo o sua seu vossa vosso tua teu rapida
        rapido pronta otima preciosa ajuda resposta apoio atencao informacao informacoes suporte
        tempo colaboracao servico atendimento trabalho solucao retorno paciencia rapidez
        disponibilidade tudo me ajudar responder resolver avisar""",
}
# "OK" and its like: they are enough, too.
FINE: Mapping[str, str] = {
    "en": """ok okay great perfect wonderful excellent awesome brilliant fantastic super cool lovely
        amazing noted understood received good nice fine / all it is that that's it's thats very
        sounds job work service well done and yes got it you are the best""",
    "es": """ok vale perfecto genial estupendo excelente entendido recibido fantastico fenomenal
        maravilloso buenisimo acuerdo conforme listo correcto bien / de todo muy y si esta trabajo
        servicio atencion""",
    "fr": """ok d'accord dac parfait super genial excellent note recu entendu compris impeccable
        formidable top nickel bien bon / c'est tres et oui tout est travail tb""",
    "de": """ok okay klar super perfekt prima toll klasse wunderbar bestens ausgezeichnet ordnung
        verstanden erhalten passt gut spitze hervorragend / alles in das sehr und ja geht arbeit
        gute ist schon""",
    "it": """ok bene perfetto ottimo benissimo eccellente fantastico ricevuto capito d'accordo
        bravissimi posto / va tutto molto a e si lavoro servizio""",
    "pt": """ok perfeito otimo excelente maravilha fantastico entendido recebido certo combinado
        acordo beleza bem bom / de tudo esta muito e sim trabalho atendimento""",
}
# It works now: that is no thanks yet, but may stand beside it.
WORKS: Mapping[str, str] = {
    "en": """works worked working solved resolved fixed helped helps trick gone sorted / it this
        that everything all now is fine great perfectly well the my problem issue did like a charm
        has been and yes it's that's me""",
    "es": """funciona funciono funcionando solucionado solucionada resuelto resuelta arreglado
        entrar / ya ahora todo me esta quedo ha sido bien perfectamente correctamente maravilla de
        el la problema va puedo si y incidencia""",
    "fr": """marche fonctionne remarche resolu regle repare fonctionnel / ca cela tout maintenant
        bien tres parfaitement merveille a le probleme est c'est oui et va de nouveau desormais""",
    "de": """funktioniert klappt lauft laeuft geklappt geholfen gelost geloest behoben erledigt geht
        / es das jetzt nun alles hat gut wunderbar prima bestens einwandfrei perfekt super problem
        ist damit sich wurde ja und schon""",
    "it": """funziona funzionato risolto risolta sistemato / ora adesso tutto ha e il problema stato
        va bene benissimo perfettamente a posto si""",
    "pt": """funciona funcionou funcionar funcionando resolvido resolveu solucionado / ja agora tudo
        esta ficou foi o problema bem perfeitamente certo deu a sim e""",
}
# Salutations and greetings: names and more of the same may follow.
MANNERS: Mapping[str, str] = {
    "en": """hi hello hey dear regards wishes greetings sincerely yours best bye goodbye cheers
        morning afternoon evening day weekend sent kind mr mrs ms dr sir / all team everyone there
        good with warm many warmest kindest truly faithfully support have a nice great lovely week
        madam or from my iphone ipad phone mobile android samsung galaxy rgds br the take care""",
    "es": """hola buenas buenos estimado estimada estimados estimadas querido querida saludo saludos
        abrazo abrazos atentamente atte luego pronto adios feliz enviado cordialmente / dias dia
        tardes noches equipo a todos un una cordial cordiales fuerte hasta buen fin de semana desde
        mi iphone ipad movil telefono sr sra senor senora muchos reciba reciban que tenga tengan""",
    "fr": """bonjour bonsoir salut cher chere chers madame monsieur coucou cordialement salutations
        amicalement sincerement bientot revoir cdt cdlt journee soiree semaine week-end weekend
        amities envoye vous / bien a tous l'equipe toi tres sinceres cordiales meilleures mes au
        bonne bon excellente belle une un passez iphone ipad telephone mobile de mon mme""",
    "de": """hallo hi guten liebe lieber liebes sehr moin servus hey gruss grussen grusse gruessen
        gruesse mfg lg vg bg hochachtungsvoll tschuss tschuess bald ciao gesendet wochenende
        feierabend tag abend / morgen geehrte geehrter damen und herren herr frau zusammen team
        support support-team gott mit freundlichen besten schonen lieben vielen herzlichen
        freundlichem freundliche beste schone viele herzliche aus ihr ihre euer bis wunsche ich
        ihnen euch dir einen ein schones angenehmen von meinem iphone ipad handy smartphone""",
    "it": """ciao buongiorno buonasera salve gentile gentili egregio egregi caro cara cari saluti
        saluto cordialmente presto arrivederci giornata serata settimana inviato buon / pomeriggio
        giorno a tutti i cordiali distinti migliori tanti un cordiale buona lavoro fine weekend
        team sig signor signora spett da mio iphone ipad""",
    "pt": """ola oi bom boa caro cara caros caras prezado prezada prezados prezadas estimado
        estimada exmo exma cumprimentos atenciosamente att atte abraco abracos saudacoes
        cordialmente breve logo enviado / dia tarde noite a todos pessoal equipe equipa com os
        melhores meus um ate fim de semana tenha do meu iphone ipad celular telemovel sr sra""",
}
# One of these, in whatever language, is enough for no.
TURNS = """
    but however still again although though yet except unless until not no none never nothing
    neither nor without cannot can't cant won't wont don't dont doesn't doesnt didn't didnt isn't
    isnt wasn't wasnt aren't another also instead unfortunately sadly only if please why how what
    when where who which asap urgent broken fails failed failing wrong error worse missing need
    pero aunque todavia aun sigue sigo siguen nada nunca ni sin tampoco otra otro tambien excepto
    salvo solo cuando donde favor urgente lamentablemente embargo jamas falla roto error antemano
    mais cependant toujours encore pourtant pas ne rien jamais aucun aucune sans sauf aussi autre
    quand pourquoi comment malheureusement neanmoins toutefois seulement panne erreur avance
    aber jedoch noch wieder immer trotzdem allerdings doch nicht nichts kein keine keinen keiner nie
    niemals ohne weder leider nur auch bitte wenn falls warum wieso wann wie erneut nochmal nochmals
    obwohl ausser sondern dringend fehler kaputt defekt falsch voraus storung
    ma tuttavia ancora sempre non niente nulla mai nessuno nessuna ne senza anche purtroppo quando
    perche come invece tranne soltanto errore guasto rotto anticipo
    mas porem contudo ainda nao nem sem tambem infelizmente porque como apenas entretanto novamente
    erro falha quebrado
"""

_TURNS = frozenset(TURNS.split())
_PIECE_END = re.compile(r"[.,;:!¡…\n()]+|\s[-–—]{1,3}\s|[-–—]{2,3}")
_QUESTION = re.compile(r"[?¿？؟]")
_SMILE = re.compile(
    "[\U0001f44d\U0001f44c\U0001f64f\U0001f600-\U0001f60d\U0001f642\U0001f389\U0001f44f\u2764\u2705"
    "\u263a]|[:;]-?[)D](?!\\w)"
)
_TONE = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f\u200d\u200b]")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?")
_NAMES_ALONE = 3  # words of a piece that is a name
_NAMES_BEHIND = 2  # behind thanks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bag:
    """The words of a table: of `core` a piece needs one, `all` may stand in it."""

    core: frozenset[str]
    all: frozenset[str]


def _bags(table: Mapping[str, str]) -> Mapping[str, _Bag]:
    out = {}
    for language, row in table.items():
        core, _, beside = row.partition("/")
        out[language] = _Bag(
            core=frozenset(core.split()), all=frozenset((*core.split(), *beside.split()))
        )
    return out


# In this order: what counts as thanks first.
_KINDS = {"thanks": _bags(THANKS), "fine": _bags(FINE), "works": _bags(WORKS)}
_MANNERS = _bags(MANNERS)
_NO_NAMES = frozenset().union(
    *(bag.all for bags in (*_KINDS.values(), _MANNERS) for bag in bags.values()), _TURNS
)


def bare_thanks(words: str, language: str = "") -> bool:
    """Whether the new words of a mail (`mail.visible`) are nothing but thanks.

    OK, that it works now, salutations, greetings, names and smiles may stand beside; not a
    question, a number, a negation, "but", "still" or "again" in any language, nor a word that is
    in none of the tables. Those of `language` and of English are held against it; without one we
    know, all are.
    """
    text = _straight(_TONE.sub("", words.strip()))
    if len(text) > MAX_TEXT or _QUESTION.search(text) or any(c.isnumeric() for c in text):
        return False
    smiled = _SMILE.search(text) is not None
    pieces = [piece.strip(" *_\t\xa0") for piece in _PIECE_END.split(_SMILE.sub(". ", text))]
    said = [found for piece in pieces if (found := _WORD.findall(piece))]
    plain = [_plain(word) for piece in said for word in piece]
    if len(plain) > MAX_WORDS or not _TURNS.isdisjoint(plain) or _signs(pieces):
        return False
    languages = {language, "en"} if language in THANKS else set(THANKS)
    kinds = {_kind(piece, languages) for piece in said}
    return "" not in kinds and (bool(kinds & {"thanks", "fine"}) or (smiled and not kinds))


def courtesy(piece: str, language: str = "") -> bool:
    """Whether a piece of a mail is but a salutation, a greeting or thanks, maybe with names behind.

    What such a piece may hold is what `bare_thanks` allows beside thanks.
    """
    text = _straight(piece.strip())
    said = _WORD.findall(text)
    if not said or _QUESTION.search(text) or any(c.isnumeric() for c in text) or _signs([text]):
        return False
    if len(said) > MAX_WORDS or not _TURNS.isdisjoint(map(_plain, said)):
        return False
    languages = {language, "en"} if language in THANKS else set(THANKS)
    return _kind(said, languages) in ("thanks", "manners")


def _signs(pieces: list[str]) -> bool:
    """Whether anything but words stands in them."""
    return any(_WORD.sub("", piece).strip() for piece in pieces)


def _kind(words: list[str], languages: set[str]) -> str:
    """What a piece of a mail is: thanks, fine, works, manners or a name; "" what is none of it.

    Two may follow each other without a comma: "it works now thank you".
    """
    if kind := _one_kind(words, languages):
        return kind
    if len(words) <= _NAMES_ALONE and all(map(_is_name, words)):
        return "name"
    for at in range(1, len(words)):
        both = _one_kind(words[:at], languages), _one_kind(words[at:], languages)
        if all(both):
            return next((kind for kind in _KINDS if kind in both), "manners")
    return ""


def _one_kind(words: list[str], languages: set[str]) -> str:
    plain = [_plain(word) for word in words]
    if plain[0] == "is":  # "is it working now" is a question, whatever mark it ends in
        return ""
    for kind, bags in _KINDS.items():
        limit = _NAMES_BEHIND if kind == "thanks" else 0
        if any(_fits(words, plain, bags[language], limit) for language in languages):
            return kind
    fits = (_fits(words, plain, _MANNERS[language], _NAMES_ALONE) for language in languages)
    return "manners" if any(fits) else ""


def _fits(words: list[str], plain: list[str], bag: _Bag, limit: int) -> bool:
    """Whether all words are in a bag, one of them of its core, but for so many names behind."""
    known = _known(plain, bag)
    names = words[known:]
    said = not bag.core.isdisjoint(plain[:known])
    return said and len(names) <= limit and all(map(_is_name, names))


def _known(plain: list[str], bag: _Bag) -> int:
    """How many words from the first on are in a bag."""
    return next((at for at, word in enumerate(plain) if word not in bag.all), len(plain))


def _is_name(word: str) -> bool:
    """A word with a capital that has no other meaning here; words in capitals are shouts."""
    shout = word.isupper() and len(word) > 2
    return word[:1].isupper() and not shout and _plain(word) not in _NO_NAMES


def _straight(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("’", "'").replace("´", "'")


def _plain(word: str) -> str:
    """In lower case and without accents."""
    folded = unicodedata.normalize("NFD", word.lower().replace("ß", "ss"))
    return "".join(c for c in folded if not unicodedata.combining(c))
