"""Tell the new words of a mail from what it quotes and from its signature.

Nothing is deleted: each line of the text is in exactly one of the three. Only a quote at the end,
or one at the very top, is taken out; answers between quoted lines keep the quotes they answer, and
a mail that only quotes stays as it is. One pass by line, no nested repetition in any pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Written above the words of every mail we send; what stands below it in an answer is ours.
REPLY_MARKER = "##- Please type your reply above this line -##"

MAX_LINES = 2000  # looked at; later lines go where the last one went
MAX_LINE = 400  # characters of a line looked at
_MAX_SIGNATURE = 20  # lines

_VERB = re.compile(
    r"\b(?:wrote|writes|schrieb|escribió|escribio|a écrit|ha scritto|escreveu)\b", re.IGNORECASE
)
_LEAD = re.compile(
    r"(?:On|At|El|Le|Am|Il|Em|No dia|A \d|Den)\b|.{0,120}[<\[(][^<>\s]{1,120}@", re.IGNORECASE
)
_DIVIDER = re.compile(
    r"[-_=*\s]{2,20}\s?(?:original message|forwarded message|originalnachricht|original-nachricht"
    r"|ursprüngliche nachricht|weitergeleitete nachricht|message d'origine|message d’origine"
    r"|message original|message transféré|mensaje original|mensaje reenviado"
    r"|messaggio originale|messaggio inoltrato|mensagem original|mensagem encaminhada)"
    r"\s?[-_=*\s]{2,20}",
    re.IGNORECASE,
)
_BEGIN = re.compile(
    r"(?:begin forwarded message|début du message (?:réexpédié|transféré)"
    r"|anfang der weitergeleiteten (?:e-mail|nachricht)|inicio del mensaje reenviado"
    r"|inizio messaggio inoltrato|início da mensagem (?:reenviada|encaminhada))\s?:",
    re.IGNORECASE,
)
_BLOCK_START = re.compile(
    r"\W{0,4}(?:from|von|de|da|expéditeur|absender|mittente|remitente|remetente)"
    r"\s?:[*_]{0,2}\s?\S",
    re.IGNORECASE,
)
_BLOCK_NEXT = re.compile(
    r"\W{0,4}(?:sent|date|to|cc|subject|reply-to|gesendet|datum|an|betreff|enviado|enviado el"
    r"|fecha|para|asunto|envoyé|envoyé le|à|objet|inviato|data|a|oggetto|enviada|enviado em"
    r"|enviada em|assunto)\s?:",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s{0,3}[-_*]{5,}\s{0,3}")
_PHONE = re.compile(
    r"(?:sent from my|get outlook for|enviado desde mi|enviado de mi|enviado do meu"
    r"|envoyé de mon|envoyé depuis mon|télécharger outlook|obtener outlook|von meinem"
    r"|diese nachricht wurde von meinem|inviato dal mio|holen sie sich outlook)\b[^,;]{0,60}"
    r"|(?:sent (?:via|from|with)|enviado (?:desde|por)|envoyé (?:depuis|avec)"
    r"|gesendet (?:von|mit)|inviato (?:da|con))\b[^,;]{0,30}(?:iphone|ipad|android|samsung|galaxy"
    r"|huawei|xiaomi|blackberry|outlook|mail|gmail|gmx|yahoo|mobile|móvil|handy)\b[^,;]{0,30}",
    re.IGNORECASE,
)
_DASH_NAME = re.compile(r"[-–—]{1,2}[^\W\d_][\w.'’]{0,30}(?: [^\W\d_][\w.'’-]{0,30}){0,3}\s{0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """The three parts of a text; each keeps its lines whole and in order."""

    visible: str
    quoted: str = ""
    signature: str = ""


def _is_quote(line: str) -> bool:
    return line.lstrip(" \t")[:1] == ">" and len(line) - len(line.lstrip(" \t")) <= 3


def _is_marker(line: str) -> bool:
    return line.lstrip("> \t*|").startswith("##-")


def _attribution(lines: Sequence[str], at: int) -> int:
    """How many lines from `at` say "On ... wrote:", wrapped over four lines at most; 0: none."""
    line = lines[at].strip()
    if line.endswith(":") and _VERB.search(line) and any(map(_is_quote, lines[at + 1 : at + 2])):
        return 1
    if not _LEAD.match(line):
        return 0
    joined = ""
    for count, line in enumerate(lines[at : at + 4], 1):
        if not line.strip() or _is_quote(line):
            return 0
        joined = f"{joined} {line.strip()}"
        if joined.rstrip("*_ \xa0").endswith(":"):
            found = _VERB.search(joined) and (any(c.isdigit() for c in joined) or "@" in joined)
            return count if found else 0
    return 0


def _header_block(lines: Sequence[str], at: int) -> bool:
    """Whether a block of From:, Sent:, To:, Subject: begins here, blank lines between allowed."""
    if not _BLOCK_START.match(lines[at]):
        return False
    after = [line for line in lines[at + 1 : at + 12] if line.strip()][:4]
    return sum(1 for line in after if _BLOCK_NEXT.match(line)) >= 2


def _is_divider(lines: Sequence[str], at: int) -> bool:
    line = lines[at].strip()
    if _DIVIDER.fullmatch(line) or _BEGIN.fullmatch(line):
        return True
    return bool(_RULE.fullmatch(lines[at])) and any(
        _header_block(lines, i) for i in _next_words(lines, at + 1)
    )


def _next_words(lines: Sequence[str], at: int) -> Sequence[int]:
    """Index of the next line with words, within three lines."""
    return [i for i in range(at, min(at + 3, len(lines))) if lines[i].strip()][:1]


def _openings(lines: Sequence[str]) -> tuple[list[int], set[int]]:
    """Lines where a quote may open, in order, and all lines that are such headings."""
    starts: list[int] = []
    heads: set[int] = set()
    for at, line in enumerate(lines):
        if at in heads or not line.strip() or _is_quote(line):
            continue
        count = _attribution(lines, at)
        if count or _is_divider(lines, at) or _header_block(lines, at):
            starts.append(at)
            heads.update(range(at, at + max(count, 1)))
    return starts, heads


def _signature(lines: Sequence[str], end: int) -> int:
    """Where the signature at the end of `lines[:end]` begins, or `end`."""
    last = end
    while last and not lines[last - 1].strip():
        last -= 1
    for at in range(last - 1, max(-1, last - 1 - _MAX_SIGNATURE), -1):
        line = lines[at].rstrip()
        if _is_quote(line):
            break
        footer = len(line) >= 30 and not line.strip("_") and at + 1 < last
        if line in ("--", "—") or (footer and "mailing list" in lines[at + 1].lower()):
            return at
    final = lines[last - 1].strip() if last else ""
    alone = last < 2 or not lines[last - 2].strip()
    if final and alone and (_PHONE.fullmatch(final) or _DASH_NAME.fullmatch(final)):
        return last - 1
    return end


def _quote(lines: Sequence[str], end: int) -> int:
    """Where the quote that fills the end of `lines[:end]` begins, or `end`."""
    tail = end
    while tail and (_is_quote(lines[tail - 1]) or not lines[tail - 1].strip()):
        tail -= 1
    if not any(_is_quote(line) for line in lines[tail:end]):
        tail = end
    starts, heads = _openings(lines[:end])
    words = [i for i in range(tail) if lines[i].strip() and not _is_quote(lines[i])]
    last_words = next((i for i in reversed(words) if i not in heads), -1)
    first_quote = [end] * (end + 1)
    for i in range(end - 1, -1, -1):
        first_quote[i] = i if _is_quote(lines[i]) else first_quote[i + 1]
    marker = next((i for i in range(end) if _is_marker(lines[i])), end)
    # Words below a quoted line are an answer to it: such an opening is no cut.
    cut = next((at for at in starts if first_quote[at] > last_words), end)
    return min(cut, tail, marker)


def _top_quote(lines: Sequence[str], end: int) -> int:
    """The end of a quote at the very top when it is the only one, else 0."""
    at = next((i for i in range(end) if lines[i].strip()), end)
    at += _attribution(lines[:end], at) if at < end else 0
    first = at
    while at < end and (_is_quote(lines[at]) or not lines[at].strip()):
        at += 1
    quotes = any(_is_quote(line) for line in lines[first:at])
    return at if quotes and not any(_is_quote(line) for line in lines[at:end]) else 0


def _mark(kinds: list[str], lines: Sequence[str], start: int, end: int, kind: str) -> int:
    """Give lines to a part, with the blank ones before them; the new end of what is visible."""
    while start and end > start and not lines[start - 1].strip():
        start -= 1
    kinds[start:end] = kind * (end - start)
    return start


def strip(text: str) -> Stripped:
    """Split a text (lines ending in LF) into new words, quote and signature."""
    lines = text.split("\n", MAX_LINES)  # what is never looked at stays one piece
    seen = [line[:MAX_LINE].rstrip("\r") for line in lines[:MAX_LINES]]
    kinds = ["v"] * len(seen)
    end = len(seen)
    for _ in range(0 if len(lines) > MAX_LINES else 2):
        end = _mark(kinds, seen, _signature(seen, end), end, "s")
    end = _mark(kinds, seen, _quote(seen, end), end, "q")
    for _ in range(3):
        end = _mark(kinds, seen, _signature(seen, end), end, "s")
    top = _top_quote(seen, end)
    kinds[:top] = "q" * top
    if not any(kind == "v" and line.strip() for kind, line in zip(kinds, seen, strict=True)):
        return Stripped(visible=text)
    kinds += [kinds[-1]] * (len(lines) - len(seen))
    part = {
        name: "\n".join(line for line, kind in zip(lines, kinds, strict=True) if kind == name)
        for name in "vqs"
    }
    return Stripped(visible=part["v"], quoted=part["q"], signature=part["s"])


_LABEL = re.compile(r"[*\s]*[^\s:]{1,20}(?: [^\s:]{1,20})?\s?:")
_TAG = re.compile(r"\[[^\]\s#]{0,30}#[0-9]{1,12}\]")
_RULE = re.compile(r"[-_\s]{4,}")


def own_words(visible: str) -> str:
    """What an agent wrote, and nothing of the notice below or between: for the customer's copy.

    Everything from our marker line on goes, with the client's heading above it; so do all lines
    quoted with ">". A notice holds facts and notes that no customer may see.
    """
    lines = visible.split("\n")
    marker = next((i for i, line in enumerate(lines) if _unquoted_marker(line)), -1)
    if marker >= 0:
        lines = lines[: _heading(lines, marker)]
    return "\n".join(line for line in lines if not _is_quote(line)).strip()


def _unquoted_marker(line: str) -> bool:
    return line.lstrip(" \t*|").startswith("##-")


def _heading(lines: Sequence[str], end: int) -> int:
    """Where what a mail client wrote above the quote `lines[end:]` begins, or `end`.

    Either lines such as "Sent: ..." of which one holds the tag that every subject of ours has,
    or one line with a date or an address that ends in a colon.
    """
    last = _without_blanks(lines, end)
    first = last
    while first and _LABEL.match(lines[first - 1][:MAX_LINE]):
        first -= 1
    if any(_TAG.search(line[:MAX_LINE]) for line in lines[first:last]):
        above = _without_blanks(lines, first)
        ruled = above and _RULE.fullmatch(lines[above - 1][:MAX_LINE])
        return above - 1 if ruled else first
    final = lines[last - 1][:MAX_LINE].strip() if last else ""
    said = final.endswith(":") and any(c.isdigit() or c == "@" for c in final)
    return last - 1 if said else last


def _without_blanks(lines: Sequence[str], end: int) -> int:
    while end and not lines[end - 1].strip():
        end -= 1
    return end
