"""Sample data for `check` and previews: every variable a notice's template may use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from markupsafe import Markup

MARK = "<mg-hostile"
_HOSTILE = f'{MARK} onload="alert(1)">{{{{ 7*7 }}}}{{% for x in y %}}\u202e"&\'--></title><script>'

_PLAIN: Mapping[str, object] = MappingProxyType(
    {
        "number": 1042,
        "subject": "The printer in room 12 is jammed",
        "team": "Support",
        "company": "Example Ltd",
        "mailbox": "support@example.org",
        "queue": "support",
        "category": "hardware",
        "priority": "high",
        "status": "open",
        "old_status": "new",
        "requester": "bob@example.net",
        "assignee": "Ana",
        "author": "Bob Miller",
        "author_address": "bob@example.net",
        "signature": "Ana\nExample Ltd",
        "message": "Hello,\n\nit says “paper jam”, but there is none.\n\nBob",
        "message_html": Markup("<p>Hello,</p><p>it says <b>paper jam</b>.</p>"),
        "note": "Known fault, see the manual.",
        "copies": ("carol@example.net", "dave@example.com"),
        "attachments": ("photo.jpg",),
        "missing": ("video.mp4",),
        "left_behind": (
            {
                "name": "video.mp4",
                "size": 24_000_000,
                "link": "https://help.example.org/file/iaqaaaabvzqaaaaaabqgzdfmzuhcd3ovlyaabnxmq2f4wy",
                "mail": 17,
            },
        ),
        "earlier": ({"number": 1001, "subject": "No toner", "status": "closed", "days": 12},),
        "solved": ({"number": 987, "subject": "Jammed", "resolution": "Took out the sheet."},),
        "actions": dict.fromkeys(("take", "close", "note", "waiting", "help"), "mailto:x@y.test"),
        "quoted": ("It says “paper jam”.", "", "Bob"),
        "quoted_by": "Bob Miller",
        "quoted_at": "2026-05-01 12:30",
        "release": "support+eiaqaaaabvzqaaaaaabqgzdfmzuhcd3ovlyaabnxmq2f4wy@example.org",
        "valid_hours": 24,
        "topic": "Spare parts for a model 9",
        "whom": "third",
        "third": "sam@supplier.example",
        "note_address": "support+fiaqaaaabvzqaaaaaabqgzdfmzuhcd3ovlyaabnxmq2f4wy@example.org",
        "commands": (
            {
                "name": "close",
                "usage": "#close [RESOLUTION]",
                "effect": "the ticket is closed",
                "example": "#close the fuser was replaced",
            },
        ),
        "lists": (
            {
                "name": "mine",
                "words": "",
                "more": 3,
                "rows": (
                    {
                        "number": 1042,
                        "subject": "The printer in room 12 is jammed",
                        "status": "open",
                        "priority": "high",
                        "requester": "bob@example.net",
                        "assignee": "Ana",
                        "updated": "2026-05-04 09:30",
                        "due": "2026-05-05 12:00",
                    },
                ),
            },
        ),
        "waiting": (
            {
                "name": "quarantined",
                "more": 3,
                "rows": (
                    {
                        "number": 1,
                        "sender": "bob@example.net",
                        "subject": "The printer in room 12 is jammed",
                        "date": "2026-05-04 09:30",
                        "size": "12 KiB",
                        "reason": "too complex to parse within its limits",
                        "ticket": 1042,
                        "words": "it says “paper jam”, but there is none.",
                        "actions": dict.fromkeys(
                            ("accept", "ticket", "drop", "drop-sender"), "mailto:x@y.test"
                        ),
                    },
                ),
            },
        ),
        "public_url": "help.example.org",
        "bounced_address": "bob@example.net",
        "last_message": "2026-05-04",
        "newer": "Hello Bob,\n\nplease open the flap at the back.\n\nBen",
        "newer_by": "Ben",
        "newer_at": "2026-05-04 09:30",
        "due": "2026-05-05 12:00",
        "rating": 4,
        "wished": True,
        "apart": False,
        "ask_rating": True,
        "diagnostic": "550 5.1.1 <bob@example.net>: user unknown",
    }
)


def _each(value: object, text: str) -> object:
    """One thing of several, or one of several properties."""
    if not isinstance(value, dict):
        return text
    return {key: text if isinstance(one, str) else one for key, one in value.items()}


def _all(text: str) -> Mapping[str, object]:
    """The plain sample with every text replaced: what a sender can make of our fields."""
    replaced: dict[str, object] = {}
    for key, value in _PLAIN.items():
        if isinstance(value, Markup):
            replaced[key] = Markup()
        elif isinstance(value, str):
            replaced[key] = text
        elif key in _MADE:
            replaced[key] = _MADE[key](text)
        elif key == "commands":
            replaced[key] = value  # a table of ours; nobody else writes in it
        elif isinstance(value, tuple):
            replaced[key] = tuple(_each(one, text) for one in value[:1]) if text else ()
        elif isinstance(value, dict):
            replaced[key] = _each(value, text) if text else {}
        else:
            replaced[key] = value
    return MappingProxyType(replaced)


def _listed(text: str) -> tuple[dict[str, object], ...]:
    row = {name: text for name in ("subject", "status", "requester", "assignee", "updated", "due")}
    rows = ({**row, "number": 1042, "priority": text},)
    return ({"name": "find", "words": text, "more": 0, "rows": rows},) if text else ()


def _waiting(text: str) -> tuple[dict[str, object], ...]:
    names = ("sender", "subject", "date", "size", "reason", "words")
    links = dict.fromkeys(("accept", "ticket", "drop", "drop-sender"), text)
    rows = ({**dict.fromkeys(names, text), "number": 1, "ticket": 0, "actions": links},)
    return ({"name": "held-mail", "more": 0, "rows": rows},) if text else ()


_MADE = {"lists": _listed, "waiting": _waiting}
SAMPLES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {"plain": _PLAIN, "hostile": _all(_HOSTILE), "empty": _all("")}
)
