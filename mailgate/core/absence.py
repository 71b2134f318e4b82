"""How an out-of-office text begins, in many languages: tables, and how they are read.

What a match means is `screen`'s to say: a person may write that they are on vacation, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from mailgate.core.mail import ParsedMail
from mailgate.core.prefixes import bare_subject
from mailgate.core.vacation import beginning, even, phrases, telling_subject

MAX_WORDS = 1500  # characters; answering machines are brief

# Phrases stand apart by "|"; a * at the end stands for any ending, a ~ for a few words.
# How a text begins that says itself that nobody wrote it.
DECLARED: Mapping[str, str] = {
    "en": """this is an automatic reply | this is an automatic response |
        this is an automatic message | this is an automated reply |
        this is an automated response | this is an automated message |
        this is an automatically generated | this is an auto-reply | this is an autoreply |
        this is an auto-response | this is an out of office |
        this message was generated automatically |
        this message has been automatically generated""",
    "es": """esta es una respuesta automática | este es un mensaje automático |
        este mensaje ha sido generado automáticamente |
        este mensaje se ha generado automáticamente""",
    "fr": """ceci est une réponse automatique | ceci est un message automatique |
        ce message est une réponse automatique | ce message a été généré automatiquement""",
    "de": """dies ist eine automatische | das ist eine automatische |
        diese nachricht wurde automatisch | diese e-mail wurde automatisch""",
    "it": """questa è una risposta automatica | questo è un messaggio automatico |
        messaggio generato automaticamente""",
    "pt": """esta é uma resposta automática | esta é uma mensagem automática |
        esta mensagem foi gerada automaticamente""",
    "nl": "dit is een automatisch* | dit bericht is automatisch",
    "sv": "detta är ett automatiskt | det här är ett automatiskt | detta är ett autosvar",
    "da": "dette er et automatisk* | dette er en automatisk | dette er et autosvar",
    "nb": "dette er et automatisk* | dette er en automatisk | dette er et autosvar",
    "fi": "tämä on automaattinen",
    "pl": "to jest automatyczna | to jest wiadomość automatyczna | wiadomość wygenerowana auto*",
    "cs": "toto je automatická | tato zpráva byla vygenerována automaticky",
    "hu": "ez egy automatikusan",
    "ro": "acesta este un răspuns automat | acesta este un mesaj automat",
    "tr": "bu otomatik bir | bu bir otomatik | bu e-posta otomatik",
    "ru": """это автоматический ответ | это автоматическое сообщение |
        данное сообщение сформировано автоматически""",
    "uk": "це автоматична відповідь | це автоматичне повідомлення",
    "el": "αυτό είναι ένα αυτόματο | αυτή είναι μια αυτόματη | αυτή είναι αυτόματη",
    "ja": "これは自動 | このメールは自動 | 本メールは自動 | このメッセージは自動",
    "zh": "这是一封自动 | 这是自动 | 此邮件为自动 | 這是自動 | 這是一封自動 | 此郵件為自動",
    "ko": "이 메일은 자동 | 이 메시지는 자동 | 자동 응답 메일 | 자동 회신 메일",
    "ar": "هذا رد تلقائي | هذه رسالة تلقائية",
    "he": "זוהי תשובה אוטומטית | זוהי הודעה אוטומטית | זהו מענה אוטומטי",
}

# How a text begins that says that its owner is away.
ABSENT: Mapping[str, str] = {
    "en": """i am out of the office | i am out of office | i am away from | i am away until |
        i am on vacation | i am on holiday | i am on leave | i am on annual leave |
        i am on parental leave | i am on maternity leave | i am not in the office |
        i am currently not in the office | i will be away | i will be on vacation |
        i will be on holiday | our office is closed | our offices are closed |
        the office is closed | i am currently on vacation | i am currently on holiday |
        i am currently on leave | i am currently on annual leave |
        i am currently on parental leave | i am currently on maternity leave |
        i am currently on a business trip | i am currently out of the office |
        i am currently out of office | i am currently away from |
        i will be out of the office | i will be out of office | i am on sick leave |
        i am traveling with | i am travelling with""",
    "es": """estoy fuera de la oficina | estaré fuera de la oficina |
        me encuentro fuera de la oficina | actualmente me encuentro fuera |
        estoy de vacaciones | estaré de vacaciones | me encuentro de vacaciones |
        estaré ausente | estoy ausente | actualmente estoy fuera de la oficina |
        actualmente estoy de vacaciones""",
    "fr": """je suis absent* | je suis actuellement absent* | je suis actuellement en congé |
        je suis en congé | je suis en vacances | je serai absent* | je serai en congé |
        étant absent* | notre bureau est fermé | nos bureaux sont fermés""",
    "de": """ich bin nicht im büro | ich bin im urlaub | ich bin derzeit im urlaub |
        ich bin abwesend | ich bin derzeit abwesend | ich bin außer haus |
        ich bin derzeit außer haus | ich befinde mich im urlaub |
        unser büro ist geschlossen | ich bin derzeit nicht im büro |
        ich bin derzeit nicht im haus | ich bin zurzeit nicht im büro |
        ich bin zurzeit nicht im haus | ich bin zur zeit nicht im büro |
        ich bin momentan nicht im büro | ich bin zurzeit im urlaub |
        ich bin zur zeit im urlaub | ich bin zurzeit abwesend | ich bin nicht im haus |
        ich bin vom ~ im urlaub | ich bin vom ~ nicht im büro |
        ich bin bis ~ nicht im büro | ich bin bis ~ im urlaub | ich bin bis ~ abwesend |
        ich bin vom ~ abwesend | ich bin bis ~ außer haus | ich bin in elternzeit |
        ich bin auf dienstreise | derzeit bin ich nicht im büro |
        derzeit bin ich im urlaub | zurzeit bin ich im urlaub""",
    "it": """sono fuori ufficio | sono fuori sede | sono attualmente fuori |
        attualmente sono fuori | sono in ferie | sarò in ferie | sarò assente |
        sono assente | i nostri uffici sono chiusi""",
    "pt": """estou fora do escritório | estarei fora do escritório | encontro-me ausente |
        encontro-me de férias | estou de férias | estarei de férias | estarei ausente |
        estou ausente | no momento estou fora do escritório | no momento estou de férias""",
    "nl": """ik ben afwezig | ik ben momenteel afwezig | ik ben niet op kantoor |
        ik ben met vakantie | ik ben op vakantie | ik ben met verlof |
        momenteel ben ik afwezig | momenteel ben ik niet op kantoor |
        ik ben momenteel niet op kantoor | momenteel ben ik met vakantie""",
    "sv": """jag är inte på kontoret | jag är på semester | jag har semester | jag är ledig |
        jag är föräldraledig | jag är inte i tjänst""",
    "da": """jeg er ikke på kontoret | jeg er på ferie | jeg holder ferie | jeg har ferie |
        jeg er fraværende""",
    "nb": """jeg er ikke på kontoret | jeg er på ferie | jeg har ferie | jeg er ute av kontoret |
        jeg er fraværende""",
    "fi": "olen lomalla | olen poissa | en ole toimistolla | olen vuosilomalla",
    "pl": """jestem poza biurem | przebywam na urlopie | przebywam poza biurem |
        jestem na urlopie | jestem nieobecn* | obecnie przebywam na urlopie |
        obecnie jestem na urlopie | obecnie przebywam poza biurem""",
    "cs": """jsem mimo kancelář | jsem na dovolené | čerpám dovolenou |
        momentálně nejsem v kanceláři | momentálně jsem mimo kancelář""",
    "hu": """szabadságon vagyok | jelenleg szabadságon | házon kívül vagyok |
        irodán kívül vagyok | jelenleg nem vagyok az irodában""",
    "ro": """sunt în concediu | nu sunt la birou | lipsesc din birou |
        momentan nu sunt la birou | sunt plecat în concediu""",
    "tr": """şu anda ofis dışındayım | ofis dışındayım | izindeyim | şu anda izindeyim |
        yıllık izindeyim | ofiste değilim""",
    "ru": """я в отпуске | я нахожусь в отпуске | я отсутствую | меня нет в офисе |
        меня нет на рабочем месте | нахожусь в отпуске | в настоящее время я в отпуске |
        в настоящее время я нахожусь в отпуске""",
    "uk": """я у відпустці | я перебуваю у відпустці | зараз я у відпустці | мене немає в офісі |
        я відсутн*""",
    "el": """είμαι εκτός γραφείου | βρίσκομαι εκτός γραφείου | απουσιάζω | βρίσκομαι σε άδεια |
        είμαι σε άδεια""",
    "ja": """現在不在 | 不在にしております | 不在のため | 休暇をいただいております |
        休暇を頂いております | 現在休暇中 | 休暇中です | 出張中です | 私は不在 |
        ただいま不在 | ただいま休暇""",
    "zh": """我正在休假 | 我目前正在休假 | 我不在办公室 | 我不在辦公室 | 我正在出差 | 我在休假 |
        我休假 | 我目前不在办公室 | 我现在不在办公室 | 我目前不在辦公室""",
    "ko": """현재 부재중 | 현재 부재 중 | 부재중입니다 | 부재 중입니다 | 현재 휴가 |
        저는 현재 휴가 | 휴가 중입니다 | 휴가중입니다 | 저는 현재 부재""",
    "ar": """أنا خارج المكتب | أنا في إجازة | أنا حاليا في إجازة | سأكون خارج المكتب |
        أنا حالياً في إجازة | أنا حاليا خارج المكتب | أنا حالياً خارج المكتب""",
    "he": "אני בחופשה | אני מחוץ למשרד | אני נמצא בחופשה | אני נמצאת בחופשה | איני במשרד",
}

# What such a text says besides, and a person who answers one mail hardly ever does.
BESIDES: Mapping[str, str] = {
    "en": """thank you for your e-mail | thank you for your email | thank you for your message |
        thanks for your email | thanks for your message | limited access to |
        no access to my | not have access to my | access to my e-mail | access to my email |
        in urgent cases | in case of urgency | for urgent matters | for urgent issues |
        matter is urgent | request is urgent | immediate assistance | in my absence |
        during my absence | will not be forwarded | respond to your e-mail |
        respond to your email | respond to your message | reply to your e-mail |
        reply to your email | reply to your message""",
    "es": """gracias por su correo | gracias por su mensaje | gracias por tu correo |
        acceso limitado | en caso de urgencia | para asuntos urgentes |
        durante mi ausencia | responderé a su | a mi regreso | a mi vuelta""",
    "fr": """merci de votre message | merci pour votre message | merci pour votre e-mail |
        en cas d'urgence | pour toute urgence | pour toute demande urgente |
        pendant mon absence | durant mon absence | en mon absence | à mon retour |
        dès mon retour | accès limité""",
    "de": """vielen dank für ihre nachricht | vielen dank für ihre e-mail |
        vielen dank für ihre mail | danke für ihre nachricht | danke für deine nachricht |
        in dringenden fällen | in dringenden angelegenheiten | bei dringenden |
        nicht weitergeleitet | während meiner abwesenheit | in meiner abwesenheit |
        nach meiner rückkehr | meine vertretung | vertretungsweise""",
    "it": """grazie per la sua e-mail | grazie per il suo messaggio | grazie per il messaggio |
        in caso di urgenza | per urgenze | per questioni urgenti | durante la mia assenza |
        in mia assenza | al mio rientro | accesso limitato""",
    "pt": """obrigado pela sua mensagem | obrigada pela sua mensagem | obrigado pelo seu |
        obrigada pelo seu | acesso limitado | em caso de urgência | para assuntos urgentes |
        durante a minha ausência | na minha ausência | no meu regresso | quando regressar""",
    "nl": """bedankt voor uw bericht | bedankt voor uw e-mail | dank voor uw | bij dringende |
        voor dringende | in dringende gevallen | tijdens mijn afwezigheid |
        beperkt toegang | niet doorgestuurd""",
    "sv": """tack för ditt mail | tack för ditt mejl | tack för ditt meddelande |
        vid brådskande | i brådskande fall | under min frånvaro | vidarebefordras inte |
        begränsad tillgång""",
    "da": """tak for din mail | tak for din e-mail | tak for din besked | i hastetilfælde |
        ved hastesager | i mit fravær | under mit fravær | videresendes ikke |
        begrænset adgang""",
    "nb": """takk for din e-post | takk for e-posten | ved hastesaker | i hastesaker |
        i mitt fravær | under mitt fravær | videresendes ikke | begrenset tilgang""",
    "fi": """kiitos viestistäsi | kiitos sähköpostistasi | kiireellisissä asioissa |
        kiireellisissä tapauksissa | poissaoloni aikana""",
    "pl": """dziękuję za wiadomość | w pilnych sprawach | w sprawach pilnych |
        podczas mojej nieobecności | w trakcie mojej nieobecności | po powrocie""",
    "cs": """děkuji za váš e-mail | děkuji za vaši zprávu | v naléhavých případech |
        v neodkladných případech | v době mé nepřítomnosti | po návratu""",
    "hu": """köszönöm e-mailjét | köszönöm levelét | köszönöm üzenetét | sürgős esetben |
        sürgős ügyben | távollétem | visszatérésem""",
    "ro": """vă mulțumesc pentru mesaj | pentru urgențe | în cazuri urgente | în absența mea |
        la întoarcere""",
    "tr": "e-postanız için teşekkür | acil durumlarda | acil konular | yokluğumda | dönüşümde",
    "ru": """спасибо за ваше письмо | благодарю за ваше письмо | по срочным вопросам |
        в срочных случаях | в мое отсутствие | в моё отсутствие | по возвращении |
        после возвращения""",
    "uk": """дякую за ваш лист | з термінових питань | у термінових випадках |
        під час моєї відсутності | після повернення""",
    "el": "ευχαριστώ για το μήνυμά | για επείγοντα | σε επείγουσες | κατά την απουσία μου",
    "ja": """メールありがとうございます | ご連絡ありがとうございます | お急ぎの | 緊急の |
        戻り次第""",
    "zh": "感谢您的来信 | 感谢您的邮件 | 感謝您的來信 | 如有紧急 | 如有急事 | 如有緊急 | 回来后",
    "ko": "메일 감사합니다 | 급한 용무 | 긴급한 | 급하신 | 복귀 후 | 돌아와서",
    "ar": "شكرا لرسالتك | شكراً لرسالتك | في الحالات العاجلة | للأمور العاجلة | خلال غيابي",
    "he": "תודה על פנייתך | תודה על הודעתך | במקרים דחופים | לעניינים דחופים | בהיעדרי",
}

# How the sentences before that begin: a salutation, thanks for the mail, regret.
GREETINGS: Mapping[str, str] = {
    "en": """hello | hi | dear | good day | good morning | greetings | thank | thanks |
        unfortunately""",
    "es": "hola | buenos días | buenas tardes | estimad* | gracias | muchas gracias",
    "fr": "bonjour | bonsoir | cher | chère | madame | monsieur | merci",
    "de": """hallo | guten tag | guten morgen | liebe* | sehr geehrte* | danke | vielen dank |
        herzlichen dank | leider | moin | grüß gott | servus""",
    "it": "ciao | buongiorno | salve | gentile | egregio | grazie",
    "pt": "olá | ola | bom dia | boa tarde | caro* | prezado* | obrigad*",
    "nl": "hallo | beste | geachte | goedendag | bedankt | dank | hartelijk dank",
    "sv da nb": "hej* | hei* | kære | god dag | goddag | tack | tak | takk | mange tak",
    "fi": "hei | moi | kiitos | hyvä",
    "pl cs": "dzień dobry | szanown* | witam | dziękuj* | dobrý den | vážen* | děkuj*",
    "hu": "tisztelt | kedves | üdvözl* | köszön*",
    "ro": "bună* | stimat* | mulțum* | vă mulțum*",
    "tr": "merhaba* | sayın | teşekkür*",
    "ru uk": "здравствуйте | уважаем* | добрый | спасибо | благодар* | шановн* | добрий | дяку*",
    "el": "γεια | αγαπητ* | καλημέρα | ευχαριστ*",
    "ja zh ko": """お世話 | いつも | ありがとう | メールありがとう | ご連絡ありがとう | 您好 |
        你好 | 尊敬的 | 感谢 | 感謝 | 谢谢 | 謝謝 | 안녕 | 감사 | 메일 감사""",
    "ar he": "السلام | مرحبا* | شكر* | تحية | שלום | תודה",
}

_PIECE = re.compile(r"[^\n.!?;。！？、，،؟…]+")
_TITLE = re.compile(r"\b(mrs?|ms|dr|hr|fr|sra?|mme|prof|ing|herr|dott|eng)\.")
_WRITTEN_OUT = (("i'm ", "i am "), ("i'll ", "i will "), ("we're ", "we are "))
_GREETED = 6  # pieces looked at
_DECLARED, _ABSENT, _GREETINGS = beginning(DECLARED), beginning(ABSENT), beginning(GREETINGS)
_BESIDES = re.compile("|".join(map(re.escape, phrases(BESIDES))))


def telling_words(words: str) -> tuple[str, bool]:
    """The phrase that begins a text as an answering machine's, and whether no more is needed.

    ("", False) when none does. A text that calls itself automatic, or that says that its owner is
    away and what to do meanwhile, needs no more; "I am on vacation until May" may be a person's.
    """
    if len(words) > MAX_WORDS:
        return "", False
    text = _text(words)
    first = _first(text)
    if declared := _DECLARED.match(first):
        return declared[0], True
    if absent := _ABSENT.match(first):
        return absent[0], _BESIDES.search(" ".join(text.split())) is not None
    return "", False


def is_absent(mail: ParsedMail) -> bool:
    """Whether an automatic mail says that its owner is away: by a header, or in words."""
    replied = mail.header("auto-submitted").strip().lower().startswith("auto-replied")
    subject = telling_subject(bare_subject(mail.subject))
    return replied or bool(subject or telling_words(mail.visible or mail.text)[0])


def _text(words: str) -> str:
    text = "\n".join(even(line).lstrip("-–—*_> ") for line in words.splitlines())
    for short, long in _WRITTEN_OUT:
        text = text.replace(short, long)
    return _TITLE.sub(r"\1", text)


def _first(text: str) -> str:
    """The text from the first sentence on that says something: behind salutation and thanks."""
    pieces = (piece for piece in _PIECE.finditer(text) if piece[0].strip(" ,:-–"))
    for piece in islice(pieces, _GREETED):
        said = piece[0].lstrip(" ,:-–")
        while said and _GREETINGS.match(said):
            said = said.partition(",")[2].lstrip()
        if said:
            return " ".join(text[piece.end() - len(said) :].split())
    return ""
