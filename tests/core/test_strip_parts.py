"""Headings, signatures, disclaimers in the languages of clients, and words that look like them."""

from __future__ import annotations

import pytest

from mailgate.core.strip import REPLY_MARKER, own_words, strip

NEW = "Yes, please do."
MAIL = "Ana Torres <ana@example.org>"


@pytest.mark.parametrize(
    ("heading", "language"),
    [
        (f"On Mon, 4 May 2026 at 11:02, {MAIL} wrote:", "en"),
        (f"El lun, 4 may 2026 a las 11:02, {MAIL} escribió:", "es"),
        (f"Le lun. 4 mai 2026 à 11:02, {MAIL} a écrit :", "fr"),
        ("Ana Torres schrieb am 04.05.2026 11:02:03:", "de"),
        (f"Am Montag, 4. Mai 2026 um 11:02 UTC hat {MAIL} Folgendes geschrieben:", "de"),
        (f"Il giorno lun 4 mag 2026 alle ore 11:02 {MAIL} ha scritto:", "it"),
        (f"A segunda, 4/05/2026, 11:02, {MAIL} escreveu:", "pt"),
        (f"Op ma 4 mei 2026 om 11:02 schreef {MAIL}:", "nl"),
        (f"Den mån 4 maj 2026 kl 11:02 skrev {MAIL}:", "sv, da, nb"),
        (f"Den man. 4. maj 2026 kl. 11.02 skrev {MAIL}:", "sv, da, nb"),
        (f"pon., 4 maj 2026 o 11:02 {MAIL} napisał(a):", "pl"),
        (f"4 мая 2026 г., 11:02, {MAIL} писал(а):", "ru"),
        (f"ma 4. toukok. 2026 klo 11.02 {MAIL} kirjoitti:", "fi"),
        (f"po 4. 5. 2026 v 11:02 {MAIL} napsal:", "cs"),
        (f"4 May 2026 Pzt 11:02 tarihinde {MAIL} şunu yazdı:", "tr"),
    ],
)
@pytest.mark.parametrize("mark", ["> ", ""])
def test_attribution_lines(heading: str, language: str, mark: str) -> None:
    parts = strip(f"{NEW}\n\n{heading}\n\n{mark}Shall we send it?\n")
    assert parts.visible == NEW
    assert [str(cut) for cut in parts.cuts] == [f"quote: attribution line ({language}) at line 3"]


@pytest.mark.parametrize(
    "heading",
    [
        f"пн, 4 мая 2026 г. в 11:02, {MAIL}:",
        '04.05.2026, 11:02, "Ana Torres" <ana@example.org>:',
        f"2026年5月4日(月) 11:02 {MAIL}:",
    ],
)
def test_attribution_lines_without_a_verb_need_marked_lines(heading: str) -> None:
    parts = strip(f"{NEW}\n\n{heading}\n> Shall we send it?\n")
    assert (parts.visible, str(parts.cuts[0])) == (NEW, "quote: attribution line at line 3")
    unmarked = f"{NEW}\n\n{heading}\nShall we send it?\n"
    assert strip(unmarked).visible == unmarked


@pytest.mark.parametrize(
    ("labels", "language"),
    [
        ("From|Sent|To|Subject", "en"),
        ("De|Enviado el|Para|Asunto", "es"),
        ("De|Envoyé|À|Objet", "fr"),
        ("Von|Gesendet|An|Betreff", "de"),
        ("Da|Inviato|A|Oggetto", "it"),
        ("De|Enviada em|Para|Assunto", "pt"),
        ("Van|Verzonden|Aan|Onderwerp", "nl"),
        ("Från|Skickat|Till|Ämne", "sv"),
        ("Fra|Sendt|Til|Emne", "da"),
        ("Od|Wysłano|Do|Temat", "pl"),
        ("От|Отправлено|Кому|Тема", "ru"),
        ("发件人|发送时间|收件人|主题", "zh"),
    ],
)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 2, 3), (0, 2, 1, 3)])
@pytest.mark.parametrize("dress", ["{}: {}", "*{}:* {}", "{} : {}", "**{}:** {}", "{}:\t{}"])
def test_header_blocks(labels: str, language: str, order: tuple[int, ...], dress: str) -> None:
    values = (MAIL, "4 May 2026", "Carla", "Order")
    names = labels.split("|")
    block = "\n".join(dress.format(names[i], values[i]) for i in order)
    parts = strip(f"{NEW}\n\n{block}\n\nShall we send it?\n> Yes.\nFine.\n")
    assert parts.visible == NEW
    assert str(parts.cuts[0]) == f"quote: header block ({language}) at line 3"


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "-------- Original message --------",
        "----- Mail original -----",
        "-------- Oorspronkelijk bericht --------",
        "-----Ursprungligt meddelande-----",
        "-----Oprindelig meddelelse-----",
        "-----Wiadomość oryginalna-----",
        "-----Исходное сообщение-----",
        "---------- Пересылаемое сообщение ---------",
        "Début du message réexpédié :",
        "Anfang der weitergeleiteten Nachricht:",
        f'-----"Ana Torres" <{MAIL}> wrote: -----',
        f"---- On Mon, 04 May 2026 11:02:10 +0200 {MAIL} wrote ----",
    ],
)
def test_divider_lines(line: str) -> None:
    assert strip(f"{NEW}\n\n{line}\n\nShall we send it?\n").visible == NEW


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my Galaxy",
        "Get Outlook for Android<https://aka.ms/AAb9ysg>",
        "Get [Outlook for iOS](https://aka.ms/o0ukef)",
        "Enviado desde mi iPad",
        "Obtener Outlook para Android",
        "Envoyé depuis l'application Mail d'Orange mobile",
        "Télécharger Outlook pour iOS",
        "Von meinem iPhone gesendet",
        "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
        "Gesendet mit der GMX Mail App",
        "Holen Sie sich Outlook für Android",
        "Inviato da iPhone",
        "Enviado do meu iPhone",
        "Obter o Outlook para iOS",
        "Verzonden vanaf mijn Galaxy",
        "Verstuurd vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Wysłane z iPhone'a",
        "Отправлено с iPhone",
        "Sent with Proton Mail secure email.",
        "Sent via BlackBerry from T-Mobile",
    ],
)
def test_what_phones_write(line: str) -> None:
    parts = strip(f"{NEW}\n\n{line}\n")
    assert (parts.visible, parts.signature.strip()) == (NEW, line)
    assert parts.cuts[0].part == "signature"


LEGAL = {
    "en": "This e-mail and any attachments are confidential. If you are not the intended recipient,"
    " please notify the sender and delete it.",
    "es": "Este mensaje y sus archivos adjuntos son confidenciales y van dirigidos a su"
    " destinatario. Si lo recibe por error, avise al remitente y bórrelo.",
    "fr": "Ce message et ses pièces jointes sont confidentiels et réservés à leur destinataire."
    " Si vous l’avez reçu par erreur, merci d’en avertir l’expéditeur.",
    "de": "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat"
    " sind, informieren Sie bitte den Absender und vernichten Sie diese Nachricht.",
    "it": "Questo messaggio contiene informazioni riservate ed è diretto ai destinatari indicati."
    " Se ricevuto per errore, si prega di avvisare il mittente.",
    "pt": "Esta mensagem e seus anexos são confidenciais e dirigidos ao destinatário. Se a recebeu"
    " por engano, avise o remetente e apague-a.",
    "nl": "Dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde. Bij"
    " ontvangst ten onrechte wordt u verzocht de afzender te waarschuwen.",
}


@pytest.mark.parametrize("language", LEGAL)
def test_disclaimers_stand_with_the_signature(language: str) -> None:
    text = f"{NEW}\n\nBo\n\n{LEGAL[language]}\n"
    parts = strip(text)
    assert parts.visible == f"{NEW}\n\nBo"
    assert LEGAL[language] in parts.signature
    assert [str(cut) for cut in parts.cuts] == [f"disclaimer: its phrases ({language}) at line 5"]
    below = strip(
        f"{NEW}\n\nOn Mon, 4 May 2026 at 11:02, {MAIL} wrote:\n> q\n\n{LEGAL[language]}\n"
    )
    assert (below.visible, below.signature.strip()) == (NEW, LEGAL[language])


def test_several_disclaimers_below_a_title() -> None:
    green = "Please consider the environment before printing."
    tail = f"DISCLAIMER:\n{LEGAL['en']}\n\n{LEGAL['fr']}\n\n{green}"
    parts = strip(f"{NEW}\n\n{tail}\n")
    assert (parts.visible, parts.signature.strip()) == (NEW, tail)


def test_a_warning_of_the_mail_server_above_the_words() -> None:
    warning = "CAUTION: This email originated from outside of the organization.\nClick no links."
    parts = strip(f"{warning}\n\n{NEW}\n")
    assert (parts.visible.strip(), parts.signature) == (NEW, warning)
    assert str(parts.cuts[0]) == "disclaimer: warning of a mail server (en) at line 1"


@pytest.mark.parametrize(
    "words",
    [
        "On 3 May your colleague wrote:\n\nWe will pay.\n\nThat is not true.",
        "Please book:\nFrom: Madrid\nTo: Paris\nDate: 3 May\nThanks",
        "Hallo,\n\nVon meinem Konto wurde zweimal abgebucht",
        "Hello,\n\nDoes it work with Outlook for Android?",
        "Hi,\n\nI got your e-mail in error, I am not the intended recipient of confidential mail.",
        "Hello,\n\nthe message you sent was confidential.",
        "Hello\n--\nBo\n\nPS: one more thing.",
        "Disclaimer\n\nWhat does this title on your page mean?",
        "Sent from a magnificent torch of pixels",
        "The text says:\n\n-----\n\nand then nothing.",
        "From: the docs\n\nSubject: see there.",
        "It came from outside.\n\nIt works.",
    ],
)
def test_words_that_look_like_it_stay(words: str) -> None:
    parts = strip(words)
    assert (parts.visible, parts.cuts) == (words, ())


def test_what_somebody_indented_is_new() -> None:
    style = "margin:0 0 0 40px;border:none;padding:0px"
    html = f'<div>Hello</div><blockquote style="{style}"><div>this one here</div></blockquote>'
    text = "Hello\n\n> this one here\n"
    assert strip(text, html).visible == text
    assert strip(text, html.replace("border:none", "border-left:solid")).visible == "Hello"
    assert strip(text, html.replace(style, "")).visible == "Hello"


COPIED = f"From: {MAIL}\nSent: Monday\nTo: Bo\nSubject: Printer\n\nWhich lamp?\nThe red one.\n"


@pytest.mark.parametrize(
    "announced",
    ["My answers are below.", "Siehe unten.", "Ver abajo.", "Voir ci-dessous.", "Vedi sotto.",
     "Respostas abaixo.", "Zie hieronder.", "Se nedan.", "Se nedenfor.", "Odpowiadam poniżej.",
     "Ответы ниже.", "Answers in red!"],
)  # fmt: skip
def test_announced_answers_in_a_copied_mail_stay(announced: str) -> None:
    text = f"{announced}\n\n{COPIED}"
    parts = strip(text)
    assert (parts.visible, parts.quoted) == (text, "")
    assert [cut.part for cut in parts.cuts] == ["kept"]
    # Where lines are marked, new ones can be told, announced or not.
    assert strip(f"{announced}\n\n> Which lamp?\n").visible == announced


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ('style="color:red"', True),
        ("style='font-size:11.0pt;color:#C00000'", True),
        ('style="background-color:red"', False),
        ('style="color:#1F497D"', False),
        ("", False),
    ],
)
def test_red_answers_in_a_mail_that_outlook_copied_stay(style: str, kept: bool) -> None:
    labels = "".join(f"<b>{name}:</b> x<br>" for name in ("From", "Sent", "To", "Subject"))
    html = (
        "<p>Hello Ana,</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>"
        f"{labels}</p></div><p><span style='color:red'>CAUTION:</span> mail from outside.</p>"
        f"<p>Which lamp?</p><p><span {style}>The big one.</span></p>"
    )
    text = (
        "Hello Ana,\n\nFrom: x\nSent: x\nTo: x\nSubject: x\n\nCAUTION: mail from outside.\n\n"
        "Which lamp?\n\nThe big one.\n"
    )
    parts = strip(text, html)
    assert ("The big one." in parts.visible) is kept
    assert [cut.part for cut in parts.cuts] == ["kept" if kept else "quote"]


def test_answers_between_marked_lines_below_a_header_block_stay() -> None:
    head = f"See.\n\n-----Original Message-----\nFrom: {MAIL}\nTo: Bo\nSubject: Printer\n\n"
    text = f"{head}> Which lamp?\nThe red one.\n> Paper?\nYes."
    assert strip(text).visible == text


def test_an_answer_below_our_quoted_marker_is_no_quote() -> None:
    quote = f"On Mon, 4 May 2026 at 11:02, {MAIL} wrote:\n> {REPLY_MARKER}\n> Which lamp?"
    parts = strip(f"{quote}\n\nThe red one.\n")
    assert parts.visible.strip() == "The red one."
    assert parts.quoted == quote + "\n"


@pytest.mark.parametrize("above", ["Done.\nSee below.", "Done.\nMy answers are in red."])
def test_a_copied_notice_is_never_an_agents_own(above: str) -> None:
    """What a person may have answered within our notice stays for agents' eyes alone (C8)."""
    text = f"{above}\n\n{COPIED}Note: secret\n"
    parts = strip(text)
    assert "secret" in parts.visible
    assert own_words(parts.visible) == above
    alone = strip(COPIED)
    assert (alone.visible, own_words(alone.visible)) == (COPIED, "")


def test_between_the_lines_of_a_notice_the_answers_are_an_agents_own() -> None:
    text = f"Hi.\n\nOn Mon, 4 May 2026 at 11:02, {MAIL} wrote:\n> secret\n\nYes.\n\n> secret\nNo."
    parts = strip(text)
    assert parts.visible == text
    assert own_words(parts.visible).split() == ["Hi.", "Yes.", "No."]


def test_below_our_marker_nothing_is_an_agents_own() -> None:
    heading = "Na dan 3. 5. je Support <s@example.org> rekao:"
    text = f"Done.\n\n{heading}\n\n{REPLY_MARKER}\nNote: secret\n\nmore"
    parts = strip(text)
    assert parts.visible == own_words(parts.visible) == "Done."
    assert str(parts.cuts[0]) == "quote: our marker line at line 3"
    assert "secret" not in own_words(text)


@pytest.mark.parametrize("who", ["Rita Vega", "Rita\nVega"])
def test_a_marker_in_the_line_of_its_heading_leaked_the_heading(who: str) -> None:
    """Yahoo's app puts no line break between them."""
    heading = f"  On Mon, May 4, 2026 at 9:01 AM, {who}<s@example.org> wrote:   {REPLY_MARKER}"
    text = f"Done.\n\n{heading}\nMessage from Rita Vega:\n\nsecret\n"
    assert strip(text).visible == own_words(text) == "Done."
    assert own_words(f"Done. {REPLY_MARKER}\nsecret") == "Done."
    assert "secret" not in strip(f"Done. {REPLY_MARKER}\nsecret").visible


def test_the_line_drawn_above_a_quote_was_an_answer() -> None:
    head = f"**From:** {MAIL}\n**Sent:** today\n**To:** Bo\n**Subject:** [#1001] Lamp"
    assert own_words(f"* * *\n\n{head}\n\n{REPLY_MARKER}\nsecret") == ""
    assert own_words("____________\n") == ""
    assert own_words("👍") == "👍"


def test_a_quote_that_begins_in_the_line_of_its_heading_was_no_quote() -> None:
    heading = "Am Mo., Mai 4, 2026 at 9:01 schrieb Support<s@example.org>:"
    text = f"{NEW}\n\nYahoo Mail: Suchen\n\n  {heading}   Guten Tag,\n\nsecret\n"
    html = (
        f'<div>{NEW}</div><div id="ymail_android_signature">Yahoo Mail: Suchen</div>'
        '<div id="ymail_android_quoted_text_header">  </div><blockquote style="margin: 0"><div>'
        f"<div>{heading.replace('<', '&lt;')}</div><div>Guten Tag,<br>secret</div></blockquote>"
    )
    parts = strip(text, html)
    assert (parts.visible.strip(), parts.signature.strip()) == (NEW, "Yahoo Mail: Suchen")
