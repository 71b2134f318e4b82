"""The name, and what stands below it, at the end of an agent's answer.

Outlook, Notes and phones put a signature below the words without a delimiter. The desk puts its own
below every answer, with the agent's name as far as customers may see it ([agents].show_name): both
together say it twice, or say what they may not. What may be an answer stays, name or not.
"""

from __future__ import annotations

import re

from mailgate.core.commands import GREETINGS
from mailgate.core.people import Agent
from mailgate.core.policy import Policy

_MOST = 7  # lines with words, the name among them
_LONG, _WORDY = 70, 7  # characters and words of a line that may be one of a signature
_GREETING = "regards"
_SENTENCE = 5  # words, most of them small ones
_DRESS = " \t\xa0,.!*_-–—|"
_CONTACT = re.compile(r"@|\bwww\.|\bhttps?:|(?:[0-9][ ()/.-]{0,3}){6}", re.IGNORECASE)


def without(words: str, agent: Agent, queue: str, policy: Policy) -> str:
    """An agent's words without the signature that ends them; all of them where there is none.

    It begins with the agent's name, alone in a line below a blank line or a greeting. Below a
    greeting short lines may follow; else they have to be lines of the desk's own signature, or
    tell how to reach somebody.
    """
    lines = words.split("\n")
    said = [at for at, line in enumerate(lines) if line.strip(_DRESS)]
    box = policy.mailbox_of(queue)
    own = (*agent.signature.split("\n"), agent.name, policy.name, box.name if box else "")
    known = {_bare(one) for one in own} - {""}
    for at in said[-_MOST:][::-1]:
        above = max((i for i in said if i < at), default=-1)
        greeted = above >= 0 and _greets(lines[above])
        if above < 0 or not (greeted or above < at - 1) or not _names(lines[at], agent, greeted):
            continue
        if lines[above].rstrip(" \t\xa0*_").endswith((":", "：")):
            continue  # it announces the name: whom to ask, and how to reach them
        strange = [i for i in said if i > at and _bare(lines[i]) not in known]
        if any(_says(lines[i]) for i in strange if not lines[i - 1].strip(_DRESS)):
            continue
        if all(_signs(lines[i], greeted) for i in strange):
            return "\n".join(lines[:at]).rstrip()
    return words


def below_commands(words: str, agent: Agent, queue: str, policy: Policy) -> str:
    """The same of words below commands: "" where they are but a greeting and a signature.

    There a signature may begin at once; without a greeting it has to tell how to reach somebody.
    """
    left = without(words, agent, queue, policy)
    first, *more = words.strip().split("\n")
    if _bare(first) == _bare(agent.name) and any(map(_CONTACT.search, more)):
        left = without(f"{_GREETING}\n{words.strip()}", agent, queue, policy)
    said = [line for line in left.split("\n") if line.strip(_DRESS)]
    if all(map(_greets, said)):
        return ""
    return left.removeprefix(f"{_GREETING}\n")


def _bare(line: str) -> str:
    return " ".join(line.split()).casefold().strip(_DRESS)


def _greets(line: str) -> bool:
    """Whether a line ends a letter; some say it in two languages."""
    return all(_bare(one) in GREETINGS for one in re.split(r"[/|]", line))


def _names(line: str, agent: Agent, greeted: bool) -> bool:
    name = _bare(agent.name)
    return _bare(line) == name or (greeted and _bare(line) == name.partition(" ")[0] != "")


def _says(line: str) -> bool:
    """Whether a line below a gap is rather a sentence, full stop or not, than a title or a firm."""
    words = [word for word in line.split() if word[:1].isalpha()]
    small = sum(word[0].islower() for word in words)
    return len(words) >= _SENTENCE and 2 * small > len(words) and not _CONTACT.search(line)


def _signs(line: str, greeted: bool) -> bool:
    """Whether a line may stand below a name; nobody asks or tells anything in a signature."""
    if _bare(line).startswith(("ps:", "p.s", "ps ")):
        return False
    short = len(line) <= _LONG and len(line.split()) <= _WORDY
    if not short or line.rstrip().endswith((".", "?", "!", ":", ";")):
        return False
    return greeted or _CONTACT.search(line) is not None
