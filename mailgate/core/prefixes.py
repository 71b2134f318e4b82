"""What mail clients write before a subject: "Re:", "AW:", "Fwd:", in many languages.

RFC 5322, section 3.6.5, knows "Re: " alone; clients translate it, count it and pile it up. A
prefix is one of these words, a count perhaps ("Re[2]", "RE^3", "Re (4)"), and a colon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Some stand for an answer here and a forward there (VS: Finnish "vastaus", Danish "videresendt");
# they count as what they are more often. "Ref:", "Betr:" and "P.D." are people's own words.
ANSWER: Mapping[str, str] = {
    "en": "re",
    "de": "aw antw antwort",
    "nl": "antw antwoord",
    "da no sv is": "sv svar ang",
    "fi et": "vs",
    "es": "rta",
    "fr": "ré rép réf",
    "it": "r rif rif.",
    "pt": "res resp",
    "pl sk cs": "odp",
    "hr sl sr": "odg",
    "lt": "ats",
    "lv": "atb",
    "hu": "vá",
    "ro": "răsp rasp",
    "tr": "ynt yanıt",
    "id": "bls",
    "cy": "atb",
    "ru bg uk": "отв ответ отг на відп",
    "el": "απ απάντηση σχετ",
    "he": "השב תגובה",
    "ar": "رد",
    "zh": "回复 回覆 答复 答覆",
    "ja": "返信",
    "ko": "회신 답장",
}
FORWARD: Mapping[str, str] = {
    "en": "fw fwd",
    "de": "wg",
    "nl": "doorst",
    "da no": "videresendt",
    "sv": "vb",
    "fi": "vl",
    "is": "fs",
    "es": "rv reenv",
    "fr": "tr",
    "it": "i inoltro",
    "pt": "enc",
    "pl": "pd",
    "sl hr sr": "prosl posr",
    "hu": "tov továbbítás",
    "tr": "ilt i̇lt",
    "id": "trs",
    "ru bg uk": "пер переслать пересл",
    "el": "πρθ",
    "he": "הועבר",
    "ar": "إعادة توجيه",
    "zh": "转发 轉寄 轉發",
    "ja": "転送",
    "ko": "전달",
}


def _words(table: Mapping[str, str]) -> str:
    """The words of a table as alternatives; one of two words stands alone in its row."""
    found = {word for row in table.values() for word in ((row,) if row in _TWO else row.split())}
    return "|".join(sorted(map(re.escape, found), key=len, reverse=True))


_TWO = frozenset({"إعادة توجيه"})
_COUNT = r"\s{0,2}(?:\[\d{1,3}\]|\(\d{1,3}\)|[\^*]\d{1,3})?\s{0,3}[:：]\s*"
_ANSWER = re.compile(rf"\s*(?:{_words(ANSWER)}){_COUNT}", re.IGNORECASE)
_FORWARD = re.compile(rf"\s*(?:{_words(FORWARD)}){_COUNT}", re.IGNORECASE)
_LIST = re.compile(r"\s*\[[^\]\[]{0,80}\]\s*")


def is_answer(subject: str) -> bool:
    """Whether the outermost prefix says that this answers something; a list's [tag] may precede."""
    plain = without_lists(subject)
    return _ANSWER.match(plain) is not None


def is_forward(subject: str) -> bool:
    """Whether the outermost prefix says that this passes a mail on; a list's [tag] may precede."""
    return _FORWARD.match(without_lists(subject)) is not None


def bare_subject(subject: str) -> str:
    """The subject without any prefix in front, of answers and of forwards.

    A [tag] between prefixes goes with them; one that stands before the words themselves stays.
    """
    bare = subject.strip()
    while True:
        behind = without_lists(bare)
        prefix = _ANSWER.match(behind) or _FORWARD.match(behind)
        if prefix is None:
            return bare
        bare = behind[prefix.end() :].strip()


def without_lists(subject: str) -> str:
    """Without the tags in square brackets at its beginning, five at most."""
    for _ in range(5):
        found = _LIST.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return subject
