"""What mail clients write around new words, by language: tables only, read by `strip_headings` and
`strip_tail`. All in lower case, with "'" for every apostrophe. Regular expressions would be slower
and no safer: these are looked up or searched as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping

# Verbs of "On ... X wrote:"; several words are searched as a phrase.
WROTE: Mapping[str, tuple[str, ...]] = {
    "en": ("wrote", "writes"),
    "es": ("escribió", "escribio", "escribe"),
    "fr": ("a écrit", "a ecrit", "écrit", "écrivait"),
    "de": ("schrieb", "schreibt", "hat geschrieben", "folgendes geschrieben"),
    "it": ("ha scritto", "scrive", "scriveva"),
    "pt": ("escreveu", "escreve"),
    "nl": ("schreef", "schrijft", "het volgende geschreven"),
    "sv, da, nb": ("skrev", "skriver", "skrevet", "skrivit"),
    "pl": ("napisał", "napisała", "pisze", "napisano"),
    "ru": ("пишет", "писал", "писала", "написал", "написала"),
    "uk": ("пише", "написав", "написала"),
    "fi": ("kirjoitti", "kirjoittaa"),
    "cs": ("napsal", "napsala", "napísal", "napísala"),
    "tr": ("yazdı", "yazmış"),
    "ro": ("a scris",),
    "hu": ("írta",),
    "zh": ("写道", "寫道"),
    "ja": ("のメール", "のメッセージ"),
}

# First words of such a line.
LEADS = frozenset(
    [
        "on",
        "at",
        "el",
        "le",
        "am",
        "il",
        "em",
        "no",
        "op",
        "den",
        "dnia",
        "w",
        "på",
        "в",
        "пт",
        "пн",
        "вт",
        "ср",
        "чт",
        "сб",
        "вс",
        "dne",
        "tarihinde",
        "в",
        "a",
        "em",
        "om",
        "den,",
        "le,",
        "am,",
        "il,",
        "el,",
        "on,",
        "于",
        "於",
    ]
)

# Labels of a header block, "From:" and so on, by what they name.
_LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "from": "from|sender",
        "sent": "sent|date|sent on|date sent|sent at",
        "to": "to|cc|bcc|reply-to|recipient",
        "subject": "subject|re",
    },
    "es": {
        "from": "de|remitente",
        "sent": "enviado|enviado el|enviado en|enviada el|fecha|fecha de envío",
        "to": "para|a|cc|cco|cc.|con copia|responder a",
        "subject": "asunto",
    },
    "fr": {
        "from": "de|expéditeur|de la part de",
        "sent": "envoyé|envoyé le|envoyée|date|date d'envoi",
        "to": "à|a|pour|cc|copie à|destinataire|répondre à",
        "subject": "objet|sujet",
    },
    "de": {
        "from": "von|absender",
        "sent": "gesendet|gesendet am|datum",
        "to": "an|cc|kopie|empfänger|antwort an",
        "subject": "betreff|thema",
    },
    "it": {
        "from": "da|mittente",
        "sent": "inviato|inviato il|inviata|data",
        "to": "a|per|cc|c.c.|destinatario|rispondi a",
        "subject": "oggetto",
    },
    "pt": {
        "from": "de|remetente",
        "sent": "enviado|enviada|enviado em|enviada em|data|enviadas",
        "to": "para|cc|c/c|destinatário",
        "subject": "assunto",
    },
    "nl": {
        "from": "van|afzender",
        "sent": "verzonden|verzonden op|datum|verstuurd",
        "to": "aan|cc|kopie",
        "subject": "onderwerp",
    },
    "sv": {
        "from": "från|avsändare",
        "sent": "skickat|skickat den|datum|skickades",
        "to": "till|kopia|cc",
        "subject": "ämne|rubrik",
    },
    "da": {
        "from": "fra|afsender",
        "sent": "sendt|sendt den|dato",
        "to": "til|cc|kopi",
        "subject": "emne",
    },
    "nb": {"from": "fra|avsender", "sent": "sendt|dato", "to": "til|kopi|cc", "subject": "emne"},
    "pl": {
        "from": "od|nadawca",
        "sent": "wysłano|wysłane|wysłany|data|data wysłania",
        "to": "do|dw|udw|kopia|do wiadomości",
        "subject": "temat",
    },
    "ru": {
        "from": "от|от кого|отправитель",
        "sent": "отправлено|дата|отправлен",
        "to": "кому|копия",
        "subject": "тема",
    },
    "fi": {
        "from": "lähettäjä",
        "sent": "lähetetty|päivämäärä|päiväys",
        "to": "vastaanottaja|kopio",
        "subject": "aihe",
    },
    "cs": {
        "from": "od|odesílatel",
        "sent": "odesláno|datum",
        "to": "komu|kopie|pro",
        "subject": "předmět",
    },
    "tr": {
        "from": "kimden|gönderen",
        "sent": "gönderildi|gönderilen|tarih",
        "to": "kime|bilgi",
        "subject": "konu",
    },
    "ja": {"from": "差出人|from", "sent": "送信日時|日時|日付", "to": "宛先|cc", "subject": "件名"},
    "zh": {
        "from": "发件人|寄件者|寄件人",
        "sent": "发送时间|日期|寄件日期|傳送時間|发送日期",
        "to": "收件人|抄送|收件者",
        "subject": "主题|主旨|主題",
    },
}
# label -> language -> what it names
LABELS: dict[str, dict[str, str]] = {}
for _language, _roles in _LABELS.items():
    for _role, _names in _roles.items():
        for _name in _names.split("|"):
            LABELS.setdefault(_name, {})[_language] = _role

# Between two rows of dashes: "-----Original Message-----".
DIVIDERS: Mapping[str, str] = {
    phrase: language
    for language, phrases in {
        "en": "original message|forwarded message|original|reply message|original email"
        "|forwarded mail|forwarded by",
        "es": "mensaje original|mensaje reenviado|correo original",
        "fr": "message d'origine|message original|message transféré|mail original"
        "|courriel original",
        "de": "original-nachricht|originalnachricht|ursprüngliche nachricht"
        "|weitergeleitete nachricht|original nachricht|ursprüngliche mail|originalmail",
        "it": "messaggio originale|messaggio inoltrato|messaggio originario",
        "pt": "mensagem original|e-mail original|mensagem encaminhada|mensagem reencaminhada",
        "nl": "oorspronkelijk bericht|origineel bericht|doorgestuurd bericht",
        "sv": "ursprungligt meddelande|originalmeddelande|vidarebefordrat meddelande",
        "da": "oprindelig meddelelse|original meddelelse|videresendt meddelelse|oprindelig besked",
        "nb": "opprinnelig melding|videresendt melding|original melding",
        "pl": "wiadomość oryginalna|oryginalna wiadomość|wiadomość przekazana"
        "|przekazana wiadomość|treść oryginalnej wiadomości",
        "ru": "исходное сообщение|пересылаемое сообщение|пересланное сообщение"
        "|оригинальное сообщение|первоначальное сообщение|конец пересылаемого сообщения",
        "fi": "alkuperäinen viesti|välitetty viesti",
        "cs": "původní zpráva|původní e-mail|přeposlaná zpráva",
        "tr": "özgün ileti|orijinal mesaj|iletilen ileti",
        "ja": "元のメッセージ|転送メッセージ",
        "zh": "原始邮件|转发邮件|原始郵件",
    }.items()
    for phrase in phrases.split("|")
}

# Apple Mail writes it on a line of its own.
BEGINS: Mapping[str, str] = {
    phrase: language
    for language, phrases in {
        "en": "begin forwarded message",
        "es": "inicio del mensaje reenviado",
        "fr": "début du message réexpédié|début du message transféré",
        "de": "anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail",
        "it": "inizio messaggio inoltrato",
        "pt": "início da mensagem reenviada|início da mensagem encaminhada",
        "nl": "begin doorgestuurd bericht",
        "sv": "vidarebefordrat brev",
        "da": "start på videresendt besked",
        "nb": "videresendt melding",
        "pl": "początek przekazywanej wiadomości",
        "ru": "начало переадресованного сообщения",
    }.items()
    for phrase in phrases.split("|")
}

# "Answers stand below": then a quote whose lines are unmarked may hold them. A colour alone says
# nothing: people order shirts in blue.
ANSWERS_BELOW: Mapping[str, tuple[str, ...]] = {
    "en": ("see below", "inline", "in-line", "answers below", "comments below", "reply below",
           "replies below", "answered below", "responses below", "response below", "answer below",
           "between the lines", "answers in", "comments in", "replies in", "marked in", "below in",
           "my comments", "my answers"),
    "es": ("ver abajo", "más abajo", "mas abajo", "entre líneas", "entre lineas", "respondo abajo",
           "aquí abajo", "intercalad", "respuestas en", "comentarios en", "contesto en",
           "respondo en", "abajo en", "mis respuestas", "mis comentarios"),
    "fr": ("ci-dessous", "plus bas", "dans le texte", "dans le corps", "entre les lignes",
           "réponses en", "commentaires en", "réponds en", "mes réponses", "mes commentaires"),
    "de": ("siehe unten", "s.u.", "s. u.", "weiter unten", "im text unten", "zwischen den zeilen",
           "unten im text", "rot markiert", "antworten unten", "antworten im", "antworten in",
           "antwort unten", "kommentare in", "meine antworten", "meine kommentare",
           "fett markiert", "unten in"),
    "it": ("qui sotto", "di seguito", "vedi sotto", "nel testo", "risposte in", "commenti in",
           "rispondo in", "mie risposte", "miei commenti"),
    "pt": ("abaixo", "no texto", "respostas em", "respostas a", "comentários em", "respondo em",
           "minhas respostas", "meus comentários"),
    "nl": ("zie onder", "hieronder", "antwoorden in", "mijn antwoorden", "mijn opmerkingen"),
    "sv": ("se nedan", "svar nedan", "nedan", "mina svar", "mina kommentarer"),
    "da, nb": ("se nedenfor", "nedenfor", "nedenunder", "mine svar", "mine kommentarer"),
    "pl": ("poniżej", "w treści", "odpowiedzi w", "moje odpowiedzi"),
    "ru": ("ниже", "в тексте", "по тексту", "мои ответы", "ответы в"),
}  # fmt: skip

# First words of what a phone or an app writes under a mail; any rest of the line may follow.
SENT_FROM_MY: Mapping[str, tuple[str, ...]] = {
    "en": ("sent from my", "sent via my", "get outlook for", "sent using my", "get yahoo mail for",
           "yahoo mail: search, organize"),
    "es": ("enviado desde mi", "enviado de mi", "obtener outlook", "obtén outlook"),
    "fr": ("envoyé de mon", "envoyé depuis mon", "télécharger outlook", "obtenez outlook",
           "envoyé à partir de mon"),
    "de": ("holen sie sich outlook", "gesendet von meinem", "outlook für android",
           "outlook für ios"),
    "it": ("inviato dal mio", "inviato da mio", "scarica outlook", "ottieni outlook"),
    "pt": ("enviado do meu", "enviada do meu", "obter o outlook", "obtenha o outlook",
           "enviado a partir do meu"),
    "nl": ("verzonden vanaf mijn", "verstuurd vanaf mijn", "verzonden met mijn",
           "outlook voor android", "outlook voor ios", "verstuurd met mijn"),
    "sv": ("skickat från min", "skickat från mitt", "hämta outlook", "skickades från min"),
    "da, nb": ("sendt fra min", "sendt fra mit", "hent outlook", "få outlook", "last ned outlook",
               "sendt fra mitt"),
    "pl": ("wysłane z mojego", "wysłano z mojego", "pobierz outlook", "pobierz aplikację outlook",
           "wysłane z iphone", "wysłane z telefonu"),
    "ru": ("отправлено с моего", "отправлено с iphone", "отправлено с ipad", "скачать outlook",
           "получить outlook", "отправлено из мобильной", "отправлено из почты"),
    "fi": ("lähetetty iphonesta", "lähetetty puhelimesta", "lähetetty laitteesta"),
}  # fmt: skip
# With these a device or a product has to stand in the line.
SENT_FROM: Mapping[str, tuple[str, ...]] = {
    "en": ("sent via", "sent from", "sent with", "sent by", "sent using"),
    "es": ("enviado desde", "enviado por", "enviado con", "enviado de"),
    "fr": ("envoyé depuis", "envoyé avec", "envoyé à partir", "envoyé de", "envoyé par",
           "provenance"),
    "de": ("gesendet von", "gesendet mit", "gesendet über", "von", "diese nachricht wurde",
           "diese e-mail wurde"),
    "it": ("inviato da", "inviato con", "inviato dal", "inviata da"),
    "pt": ("enviado do", "enviado de", "enviado com", "enviado por", "enviado pelo",
           "enviado a partir", "enviado via", "enviado através"),
    "nl": ("verzonden vanaf", "verstuurd vanaf", "verzonden met", "verzonden vanuit",
           "verstuurd met"),
    "sv": ("skickat från", "skickat med", "skickat via"),
    "da, nb": ("sendt fra", "sendt med", "sendt via"),
    "pl": ("wysłane z", "wysłano z", "wysłane za", "wysłane przy"),
    "ru": ("отправлено с", "отправлено из", "отправлено через"),
    "fi": ("lähetetty",),
}  # fmt: skip
DEVICES = frozenset({
    "iphone", "ipad", "ipod", "android", "samsung", "galaxy", "huawei", "xiaomi", "blackberry",
    "outlook", "mail", "gmail", "gmx", "yahoo", "web", "mobile", "móvil", "movil", "handy",
    "smartphone", "windows", "proton", "mobil", "telefon", "mobiltelefon", "phone", "tablet",
    "nokia", "sony", "oneplus", "redmi", "motorola", "thunderbird", "aquamail", "fairemail",
    "telefonu", "telefono", "teléfono", "téléphone", "celular", "cellulare", "telemóvel",
    "poczty", "почты", "телефона",
})  # fmt: skip
