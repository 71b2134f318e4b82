"""What agents may write at the top of a mail: the one table of commands, and how it is read.

A mail's commands are the `#word value` lines at its very top; blank lines between them do no harm.
Whoever calls `read` hands over the agent's own words alone: what is quoted or forwarded is never a
command. docs/decisions/0015 says what counts as a command, and what as a slip that holds the mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from mailgate.core.people import Power

MISTAKES = "mistakes in its commands"  # why a mail is held
BETWEEN = "words between the lines of our notice"  # so is this
AGAIN = {  # what its agent is told to do
    MISTAKES: "Send it again as it should be; `#help` alone in a mail brings the table of"
    " commands.",
    BETWEEN: "Write above the notice and send it again; `#send` on top sends no more than what"
    " stands there.",
}
MOST_LINES = 30  # commands in one mail
MOST_WORDS = 4  # of a value below the top; a longer line is running text
# Marks without width, and of a direction, stand at the beginning of what some clients make of HTML.
_BLANK = r"[\s\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]{0,16}"
_LINE = re.compile(_BLANK + r"#([^\W\d_][\w-]{0,40})(?::(?=\s|$))?(?=\s|$)(.*)", re.DOTALL)
_TRIED = re.compile(_BLANK + r"#[^\W\d_]")  # at the top, somebody wanted a command
# Clients write bold words as "*#note*", a list as "- #note", a heading as "# #note"; others quote.
_DRESSED = re.compile(
    _BLANK + r"(?:[-*_+~`\\\"'“”„«‹‘’([{<|•·–—]|#{1,6}\s|\s){1,9}#([^\W\d_][\w-]*)"
)
_SIGNS = str.maketrans("\xa0＃﹟", " ##")  # as they are typed where Chinese or Japanese is
# What a client writes in the text for a logo: "[cid:image001.png@01D9]".
_LOGO = re.compile(r"\[(?:cid|image|inline image)\s?:[^\]\n]{0,300}\]", re.IGNORECASE)
_MESSAGE = re.compile(r"\s*([0-9]{1,12})(?:\s|$)")
_NUMBER = re.compile(r"#?([0-9]{1,12})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row of the table, from which the help mail and docs/agents.md are made, too."""

    name: str
    usage: str
    power: Power  # what the mail must be worth: ACT, or WIDEN where it changes who sees or decides
    effect: str  # in words, without a full stop
    example: str
    value: str = "one"  # none | one | any (may be left out) | text (running text)
    often: bool = False  # may stand several times in one mail


def _row(name: str, usage: str, effect: str, example: str, value: str = "one") -> Command:
    return Command(
        name=name,
        usage=f"#{name} {usage}".strip(),
        power=Power.WIDEN if name in _WIDENING else Power.ACT,
        effect=effect,
        example=f"#{name} {example}".strip(),
        value=value,
        often=name in _OFTEN,
    )


_WIDENING = frozenset({"cc", "uncc", "requester", "side", "merge", "split"})
_OFTEN = frozenset({"tag", "cc", "uncc", "link", "set", "time", "show", "find"})

_ROWS = (
    _row("take", "", "the ticket becomes yours", "", "none"),
    _row(
        "assign",
        "NAME",
        "the ticket goes to an agent (name or address), a group or a queue; `nobody` gives it back",
        "ben",
    ),
    _row("status", "STATUS", "the ticket gets this status, and its people are told", "resolved"),
    _row(
        "close",
        "[RESOLUTION]",
        "the ticket is closed; what stands behind the word becomes its resolution",
        "the fuser was replaced",
        "any",
    ),
    _row("priority", "PRIORITY", "the ticket gets this priority", "high"),
    _row("category", "CATEGORY", "the ticket gets this category", "billing"),
    _row("tag", "TAG, ...", "puts tags on; `-TAG` takes one off", "printer, -urgent"),
    _row("cc", "ADDRESS, ...", "these people get what is sent from now on", "carl@example.com"),
    _row("uncc", "ADDRESS, ...", "these people get nothing any more", "carl@example.com"),
    _row(
        "requester",
        "ADDRESS",
        "the ticket becomes this person's; the requester before gets nothing any more",
        "rita@example.com",
    ),
    _row(
        "note",
        "[TEXT]",
        "the whole mail becomes an internal note: nothing of it leaves the house",
        "the contract has ended",
        "any",
    ),
    _row(
        "side",
        "ADDRESS, ...",
        "your words go to these people and to nobody of the ticket; so do they talk to you",
        "parts@supplier.example",
    ),
    _row(
        "merge",
        "[into|from] N",
        "the two tickets become one: the older lives on, or as `into` and `from` say",
        "1001",
    ),
    _row(
        "split",
        "[N] [SUBJECT]",
        "the customer's message that you answer, or message N, becomes a ticket of its own",
        "The scanner on floor three",
        "any",
    ),
    _row("link", "N", "agents see that ticket N has to do with this one", "1001"),
    _row(
        "snooze",
        "WHEN",
        "the ticket waits and opens again by itself; WHEN is `3d`, `tomorrow` or a date",
        "3d",
    ),
    _row("due", "WHEN", "you are told when it is due; `never` takes that back", "2026-05-20 14:00"),
    _row("time", "DURATION", "adds to the time spent: `15m`, `1h30`, `-5m`", "15m"),
    _row("resolution", "TEXT", "how it was solved, for agents", "replaced the fuser", "text"),
    _row("set", "KEY VALUE", "sets a custom field; without VALUE it is emptied", "serial A-113"),
    _row(
        "send",
        "",
        "what stands below is sent as it is, even where a line of it looks like a command",
        "",
        "none",
    ),
    _row("undo", "", "takes back your last mail on the ticket, while that is possible", "", "none"),
    _row("show", "[N]", "sends you the ticket, or ticket N, with all its messages", "", "any"),
    _row("mine", "", "sends you a list of your open tickets", "", "none"),
    _row("find", "WORDS", "sends you a list of the tickets that say so", "paper jam", "text"),
    _row("help", "", "sends you this table", "", "none"),
)
COMMANDS: Mapping[str, Command] = {row.name: row for row in _ROWS}
# Said twice in two ways: each line wants to change what the other changes.
_RIVALS = (("take", "assign"), ("status", "close", "snooze"), ("note", "send"), ("split", "merge"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command as it was written."""

    at: int  # line of the mail's own words, from 1
    name: str
    value: str
    text: str  # the whole line


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """One line that holds the mail: what is wrong with it, and what was probably meant."""

    at: int
    text: str
    wrong: str
    nearest: str = ""  # a usage, such as "#close [RESOLUTION]"

    def said(self) -> str:
        """As the transcript has it."""
        usages = {command.usage for command in COMMANDS.values()}
        same = self.nearest.partition(" ")[0] == self.text.strip().partition(" ")[0].rstrip(":")
        hint = f" Did you mean `{self.nearest}`?" if self.nearest else ""
        if self.nearest in usages and same:
            hint = f" It is written `{self.nearest}`."
        return f"line {self.at}: {self.text.strip()[:200]}\n    {self.wrong}.{hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a mail says to us (`lines`), what it says to people (`rest`), and what is unclear."""

    lines: tuple[Line, ...] = ()
    rest: str = ""
    problems: tuple[Slip, ...] = ()

    def has(self, name: str) -> bool:
        """Whether this command is among the lines."""
        return any(line.name == name for line in self.lines)


def read(words: str, own: int | None = None) -> Script:
    """Split an agent's words (lines ending in LF) into commands and the rest.

    Only the first `own` lines are the agent's: below them stands what somebody else wrote.
    """
    lines = words.translate(_SIGNS).split("\n")
    end = _end_of_commands(lines[:own])
    found: list[Line] = []
    slips: list[Slip] = []
    for at, text in enumerate(lines[:end], 1):
        if len(found) > MOST_LINES or len(slips) >= MOST_LINES:
            break  # looking for what was meant takes its time
        if text.strip():
            line = _line(at, text)
            if isinstance(line, Line):
                found.append(line)
            else:
                slips.append(line)
    rest = "\n".join(words.split("\n")[end:]).strip("\n")
    if not any(line.name == "send" for line in found):
        slips += islice(_misplaced(lines[end:own], end + 1), MOST_LINES)
    slips += _contradictions(found)
    return Script(lines=tuple(found), rest=rest, problems=tuple(sorted(slips, key=lambda s: s.at)))


def mentions(words: str) -> tuple[int, ...]:
    """Numbers of tickets that a command may speak of; to be looked up before it is decided."""
    found: list[int] = []
    for text in words.translate(_SIGNS).split("\n", 3 * MOST_LINES)[: 3 * MOST_LINES]:
        match = _LINE.match(text)
        if match and match[1].lower() in ("link", "merge", "show"):
            found += [int(n) for n in _NUMBER.findall(match[2])]
    return tuple(dict.fromkeys(found))[:10]


def parted(words: str) -> tuple[bool, tuple[int, ...]]:
    """Whether `#split` may stand in it, and numbers of messages that it may name."""
    lines = words.translate(_SIGNS).split("\n", 3 * MOST_LINES)[: 3 * MOST_LINES]
    found = [m[2] for m in map(_LINE.match, lines) if m and m[1].lower() == "split"]
    numbers = (_MESSAGE.match(value) for value in found)
    return bool(found), tuple(int(n[1]) for n in numbers if n)[:3]


def without_signature(rest: str, known: tuple[str, ...]) -> str:
    """The rest, "" where it is nothing but a signature: lines such as `known`, and a greeting.

    A command with a signature below it is a command only (reliability: C5). A logo is none.
    """
    bare = _LOGO.sub("", rest)
    lines = {" ".join(line.split()).casefold().strip(" ,.!-–—") for line in bare.split("\n")}
    own = {" ".join(k.split()).casefold().strip(" ,.!-–—") for k in known}
    return "" if lines <= own | GREETINGS | {""} else rest


GREETINGS = frozenset(
    """regards|best regards|kind regards|best wishes|best|cheers|thanks|thank you|many thanks|
    saludos|un saludo|saludos cordiales|atentamente|gracias|muchas gracias|
    cordialement|bien cordialement|bien à vous|merci|salutations|
    grüße|gruß|viele grüße|mit freundlichen grüßen|beste grüße|danke|mfg|lg|
    cordiali saluti|saluti|distinti saluti|grazie|
    cumprimentos|atenciosamente|obrigado|obrigada""".replace("\n", "")
    .replace("|    ", "|")
    .casefold()  # "grüsse", as they are compared
    .split("|")
)


def _end_of_commands(lines: list[str]) -> int:
    """Where the commands at the top end: the first line that is neither blank nor one of them.

    Below `#send` whatever is no command is what it sends.
    """
    end, sends = 0, False
    for at, text in enumerate(lines):
        name = _name(text)
        if name in COMMANDS or (not sends and (_TRIED.match(text) or _dressed(text))):
            end, sends = at + 1, sends or name == "send"
        elif text.strip():
            break
    return end


def _name(text: str) -> str:
    """The word behind the sign of a line that is written as a command, or ""."""
    match = _LINE.match(text)
    return match[1].lower() if match else ""


def _dressed(text: str) -> str:
    """The command that a line names behind marks of a client's, or ""; other words are words."""
    match = _DRESSED.match(text)
    word = match[1].strip("_").lower() if match else ""
    return word if word in COMMANDS else ""


def _line(at: int, text: str) -> Line | Slip:
    if not _TRIED.match(text) and (word := _dressed(text)):
        wrong = f"nothing may stand before `#{word}`; `#send` on top sends it as it is"
        return Slip(at=at, text=text, wrong=wrong, nearest=COMMANDS[word].usage)
    match = _LINE.match(text)
    word = match[1].lower() if match else text.strip().split()[0].lstrip("#").lower()
    command = COMMANDS.get(word) if match else None
    if command is None or match is None:
        return _unknown(at, text, word)
    value = " ".join(match[2].split())
    if command.value == "none" and value:
        wrong = f"`#{word}` stands alone: nothing may follow it"
        return Slip(at=at, text=text, wrong=wrong, nearest=command.usage)
    if command.value in ("one", "text") and not value:
        wrong = f"`#{word}` needs to be told what"
        return Slip(at=at, text=text, wrong=wrong, nearest=command.usage)
    return Line(at=at, name=word, value=value, text=text.strip())


def _unknown(at: int, text: str, word: str) -> Slip:
    begun = [name for name in COMMANDS if len(word) >= 2 and name.startswith(word)]
    if len(begun) > 1:
        wrong = f"`#{word}` may be {' or '.join('#' + name for name in begun)}"
        return Slip(at=at, text=text, wrong=wrong)
    near = begun or get_close_matches(word, COMMANDS, n=1, cutoff=0.6)
    nearest = COMMANDS[near[0]].usage if near else ""
    return Slip(at=at, text=text, wrong=f"there is no command `#{word}`", nearest=nearest)


def _misplaced(lines: list[str], first: int) -> Iterator[Slip]:
    """Commands below other words: nobody can tell whether they were meant for the customer."""
    for at, text in enumerate(lines, first):
        match = _LINE.match(text)
        command = COMMANDS.get(match[1].lower()) if match else None
        if match is None or command is None:
            continue
        said = match[2].split()
        if command.value == "text" or command.name == "note" or len(said) <= MOST_WORDS:
            wrong = "a command must stand above all other words; `#send` on top sends it as it is"
            yield Slip(at=at, text=text, wrong=wrong, nearest=command.usage)


def _contradictions(found: list[Line]) -> Iterator[Slip]:
    if len(found) > MOST_LINES:
        wrong = f"a mail may hold {MOST_LINES} commands at most"
        yield Slip(at=found[MOST_LINES].at, text=found[MOST_LINES].text, wrong=wrong)
    seen: dict[str, Line] = {}
    for line in found:
        key = next((rivals[0] for rivals in _RIVALS if line.name in rivals), line.name)
        earlier = seen.setdefault(key, line)
        if earlier is not line and not COMMANDS[line.name].often:
            wrong = f"it contradicts line {earlier.at}, {earlier.text[:60]!r}"
            yield Slip(at=line.at, text=line.text, wrong=wrong)
