"""Whether an answer to "Did you write this?" says no.

Any words say yes, as the question promises; but who is asked and did not write it says so by reply
as well, and that must not let a forged mail take effect. What is not surely a yes is asked again.
"""

from __future__ import annotations

import re

_LOOKED_AT = 600  # characters of the answer
_WORD = re.compile(r"[^\W\d_]+(?:['’´][^\W\d_]+)?")
_YES = frozenset(
    ("yes", "yep", "yeah", "ok", "okay", "si", "sí", "oui", "ja", "jawohl", "sì", "sim")
)
_DENIALS = """
    no not nope never neither nor cannot can't don't doesn't didn't wasn't isn't haven't hasn't
    couldn't wouldn't dont didnt wasnt isnt forged forgery fake faked hacked phishing spam scam drop
    nunca jamás jamas tampoco falso falsa non pas jamais faux aucun nein nicht nichts kein keine
    keinen keiner niemals nie gefälscht fälschung betrug né falsificata não nao nem falsificado
"""
_NO = frozenset(_DENIALS.split())
SAID_NO = (
    "Nothing was done: your answer seems to say no. If it was not you, do nothing more. If it was,"
    " reply to the question with `yes` and no more"
)


def denies(words: str) -> bool:
    """Whether an answer's own words may say no; those that begin with a yes do not."""
    said = [w.replace("’", "'").replace("´", "'") for w in _words(words)]
    return bool(said) and said[0] not in _YES and not _NO.isdisjoint(said)


def _words(text: str) -> list[str]:
    return _WORD.findall(text[:_LOOKED_AT].lower())
