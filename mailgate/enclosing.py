"""What goes along with a notice: files that may leave, pictures that its HTML shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from mailgate.core import token
from mailgate.core.enclosures import NAMING, SEALED, SIGNATURES
from mailgate.core.mail import Attachment
from mailgate.core.policy import Policy
from mailgate.core.token import Key
from mailgate.render import before_quote
from mailgate.surroundings import LeftBehind, discreet
from mailgate.wire import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """Files that go along, and those that do not."""

    parts: tuple[Part, ...] = ()
    missing: tuple[Part, ...] = ()
    withheld: tuple[str, ...] = ()  # of those, what must not leave the house


def for_agents(parts: Sequence[Part], limit: int) -> Enclosed:
    """As many files as `limit` octets hold, in their order; the others are missing."""
    room, kept, missing = limit, [], []
    for part in parts:
        if len(part.data) <= room:
            kept.append(part)
            room -= len(part.data)
        else:
            missing.append(part)
    return Enclosed(parts=tuple(kept), missing=tuple(missing))


def for_customers(
    parts: Sequence[Part], html: str, page: str, policy: Policy, keys: tuple[Key, ...]
) -> Enclosed:
    """The writer's own files, without the pictures of what was quoted and of the signature.

    Nor what holds a token or a mail of ours, names an agent, or cannot be looked into.

    `html` is what the notice shows, `page` the whole HTML of the mail. Where the notice shows
    text, a picture belongs to the new words when it stands above the quote.
    """
    shown = html or before_quote(page)
    files = [part for part in parts if part.content_type not in SIGNATURES]
    withheld = [part for part in files if _is_private(part, policy, keys)]
    leaving = [part for part in files if part not in withheld]
    behind = [p for p in leaving if _stands_in(p, page) and not _stands_in(p, shown)]
    return Enclosed(
        parts=tuple(part for part in leaving if part not in behind),
        missing=() if html else tuple(behind),
        withheld=tuple(part.filename for part in withheld),
    )


def left_behind(
    missing: Sequence[Part],
    larger: Sequence[Attachment],
    inbox: int | None,
    links: Callable[[str], tuple[LeftBehind, ...]] | None,
) -> tuple[LeftBehind, ...]:
    """What is told of files that do not go along: with this notice, and with none at all.

    `links` gives what can be fetched of a file, by its sha256; `inbox` is the mail they came in.
    """
    known = (
        *((part.filename, len(part.data), sha256(part.data).hexdigest()) for part in missing),
        *((one.filename, one.size, one.digest) for one in larger),
    )
    told: list[LeftBehind] = []
    for name, size, digest in known:
        linked = links(digest) if links else ()
        told += linked or (LeftBehind(filename=name, size=size, inbox=inbox or 0),)
    return tuple(dict.fromkeys(told))


def renamed(
    parts: Sequence[Part], html: str, seed: str, domain: str
) -> tuple[tuple[Part, ...], str]:
    """The same with Content-IDs of our own: a client's may name a machine or an address.

    Only pictures that the HTML shows keep one.
    """
    result = []
    for part in parts:
        if not _stands_in(part, html):
            result.append(replace(part, content_id=""))
            continue
        own = f"mg.{sha256(f'{seed} {part.content_id}'.encode()).hexdigest()[:24]}@{domain}"
        html = html.replace(f'"cid:{part.content_id}"', f'"cid:{own}"')
        result.append(replace(part, content_id=own))
    return tuple(result), html


def _stands_in(part: Part, html: str) -> bool:
    return bool(part.content_id) and f"cid:{part.content_id}" in html


def _is_private(part: Part, policy: Policy, keys: tuple[Key, ...]) -> bool:
    """Whether a file shows what is not for customers, whatever its sender calls its type.

    A mail of ours that somebody attached holds the tokens of whoever it was made for.
    """
    if part.content_type in SEALED:
        return True
    # Without its zeros UTF-16, as in Outlook's own files, reads like plain text.
    text = part.data.replace(b"\0", b"").decode("latin-1")
    ours = f"x-mailgate-loop: {policy.instance}".lower()
    if ours in text.lower() or token.scrubbed(text, keys) != text:
        return True
    return part.content_type in NAMING and discreet(text, policy, "") != text
