"""A notice, a ticket and a language in; a mail out, with its bytes fixed once and for ever.

compose() asks nobody anything: the time and the random token of the Message-ID are given, so the
same context always gives the same bytes. What a notice may say to whom is decided here and not in
the templates, so that an operator's own template cannot give away more than ours do.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from email.utils import format_datetime
from functools import partial
from zoneinfo import ZoneInfo

from mailgate import journal
from mailgate.context import NoticeContext, OwnHead
from mailgate.core import token
from mailgate.core.commands import COMMANDS
from mailgate.core.decision import (
    HUMAN,
    REPLIES,
    TO_AGENTS,
    Notice,
    Outgoing,
    OutgoingCopy,
    Whom,
)
from mailgate.core.policy import Policy, folded
from mailgate.core.ticket import TicketView
from mailgate.enclosing import renamed
from mailgate.render import Markup, Rendered, Renderer
from mailgate.subject import base_subject, tagged_subject
from mailgate.surroundings import Past, actions, beside, bygone, discreet, trail, unlinked
from mailgate.wire import (
    NAME_MAX,
    address_header,
    body,
    body_text,
    header,
    header_text,
    id_header,
    message_ids,
)

MAX_REFERENCES = 20
MAX_MESSAGE = 150_000  # characters of a message; escaped, they still fit render's cap
MAX_PAGE = 500_000  # characters of its HTML; above that the text is shown instead

_WITH_MESSAGE = HUMAN | TO_AGENTS
_NONE = TicketView(number=0, subject="", status="", priority="", queue="", requester="")
_UNPROVEN = frozenset({Notice.CHALLENGE, Notice.AGENT_HELD})  # they show a mail that nothing proves


def compose(notice: Notice, ctx: NoticeContext, renderer: Renderer, policy: Policy) -> Outgoing:
    """The final mail. Raises render.TemplateFailure when not even English can be rendered."""
    number = ctx.ticket.number
    own = {to.address: ctx.head(to.address, policy.domain) for to in ctx.recipients}
    ctx = replace(ctx, ticket=_NONE) if notice is Notice.SIDE else ctx  # no template can tell
    parts, page = renamed(ctx.attachments, ctx.html, ctx.token, policy.domain)
    # A name may be that of a saved mail: with an address in it, or a token.
    named = (replace(part, filename=_said(notice, ctx, policy, part.filename)) for part in parts)
    ctx = replace(ctx, attachments=tuple(named), html=page)
    wanted = ctx.language or ctx.ticket.language
    language = wanted if wanted in renderer.languages() else policy.language
    words = renderer.notice(language, notice.value, variables(notice, ctx, policy))
    for failure in words.failures:
        journal.trouble(what="template", error=failure, ticket=number, used=words.language)
    first = next(iter(own.values()))
    queue = ctx.ticket.queue if notice in TO_AGENTS else ""
    parts = ctx.attachments if notice in _WITH_MESSAGE else ()
    raw = b"".join(
        (
            address_header("From", ctx.mailbox.address, _from_name(notice, ctx, policy)),
            header("Subject", tagged_subject(words.subject, ctx.ticket.number, queue, policy)),
            header("Date", format_datetime(ctx.now.astimezone(UTC))),
            _marks(notice, words, policy),
            body(words.text, words.html, parts, ctx.token),
        )
    )
    return Outgoing(
        notice=notice,
        ticket=number or None,
        message_id=first.message_id,
        # RFC 3834, 3.3 would let an automatic answer leave with the null sender. A return path of
        # its own brings a bounce home to the very copy it is about; it cannot loop, as nothing
        # automatic is ever sent in answer to a bounce.
        mail_from=first.mail_from,
        raw=raw,
        heads={address: _head(address, head, ctx, policy) for address, head in own.items()},
        automatic=notice not in HUMAN,
        copies={
            address: OutgoingCopy(
                message_id=head.message_id, mail_from=head.mail_from, number=head.number
            )
            for address, head in own.items()
        },
    )


def variables(notice: Notice, ctx: NoticeContext, policy: Policy) -> dict[str, object]:
    """What the notice's template may use: text of one line, but for `message*` and `signature`.

    docs/templates.md lists the names; render.SAMPLES holds a sample of each.
    """
    ticket, team = ctx.ticket, _team(ctx, policy)
    status = (ctx.new if notice in (Notice.STATUS, Notice.CLOSURE) else "") or ticket.status
    assignee = (ctx.new if notice is Notice.ASSIGNMENT else "") or ticket.assignee
    lines = {
        "subject": base_subject(ticket.subject, ticket.number, policy),
        "topic": _topic(notice, ctx, policy),
        "team": team,
        "company": policy.name,
        "mailbox": ctx.mailbox.address,
        "queue": ticket.queue,
        "category": ticket.category,
        "priority": ticket.priority,
        "status": status,
        "old_status": ctx.old if notice in (Notice.STATUS, Notice.CLOSURE) else "",
        "requester": ticket.requester,
        "assignee": _person(assignee, policy, whole=notice in TO_AGENTS),
        "author": _author_name(notice, ctx, policy),
        "author_address": _author_address(notice, ctx, policy),
        "note": _note(ctx) if notice in TO_AGENTS else "",
    }
    # No words of a sender who is nobody we know go back to the address they gave: else anyone
    # could have us mail anything to anyone.
    if not (ctx.proven or notice in _WITH_MESSAGE):
        lines |= dict.fromkeys(("subject", "requester", "author", "author_address"), "")
    shown = notice in _WITH_MESSAGE
    said = partial(_said, notice, ctx, policy)
    quoted = ctx.around.quoted if notice is Notice.ANSWER else None
    return {
        **trail(quoted and replace(quoted, text=said(quoted.text)), policy),
        **{name: header_text(token.scrubbed(value, ctx.keys)) for name, value in lines.items()},
        **_own_words(notice, ctx, policy),
        **bygone(ctx.around.past if notice in TO_AGENTS else Past(), said),
        **beside(ctx.around.newer if notice in TO_AGENTS else None, policy, said),
        **_wish_words(status, ctx, policy),
        "number": ticket.number,
        "signature": body_text(_signature(ctx, policy)).strip(),
        "message": _cut(said(ctx.message).strip()) if shown else "",
        "message_html": Markup(said(ctx.html) if shown and len(ctx.html) <= MAX_PAGE else ""),
        "copies": _copies(ctx, policy) if notice in HUMAN - {Notice.SIDE} else (),
        "attachments": _file_names(ctx) if shown else (),
        "missing": tuple(header_text(said(name)) for name in ctx.around.missing) if shown else (),
    }


def _topic(notice: Notice, ctx: NoticeContext, policy: Policy) -> str:
    line = ctx.ticket.subject if ctx.subject is None else ctx.subject
    return line if notice is Notice.SIDE else base_subject(line, ctx.ticket.number, policy)


def _said(notice: Notice, ctx: NoticeContext, policy: Policy, words: str) -> str:
    """Words without tokens: what a client quotes may hold the address it was sent to.

    In what people read who are no agents, agents have no address but the mailbox's, and no links to
    files.
    """
    clean = token.scrubbed(body_text(words), ctx.keys)
    if notice not in HUMAN:
        return clean
    return discreet(unlinked(clean, policy), policy, ctx.mailbox.address)


def _own_words(notice: Notice, ctx: NoticeContext, policy: Policy) -> dict[str, object]:
    """What only agents' notices say: a release address works for whoever reads it."""
    told = notice in TO_AGENTS
    due = ctx.due and ctx.due.astimezone(ZoneInfo(policy.timezone))
    return {
        "due": f"{due:%Y-%m-%d %H:%M}" if due and told else "",
        "release": ctx.release if told else "",
        "whom": ctx.ears.whom.value if told else "",
        "third": header_text(ctx.ears.third) if told and ctx.ears.whom is Whom.THIRD else "",
        "valid_hours": ctx.valid_hours,
        "note_address": ctx.note_address if told else "",
        "commands": _table() if notice is Notice.HELP else (),
        "lists": ctx.lists if told else (),
        "waiting": ctx.waiting if told else (),
        "public_url": policy.public_url if told else "",
        "left_behind": _left_behind(ctx) if told and notice in _WITH_MESSAGE else (),
        "actions": _actions(ctx, policy) if told and notice not in _UNPROVEN else {},
        **_unsent(ctx, told=told),
    }


def _note(ctx: NoticeContext) -> str:
    return ctx.unsent.note if ctx.unsent else ctx.note


def _unsent(ctx: NoticeContext, *, told: bool) -> dict[str, str]:
    if ctx.unsent is None or not told:
        return {"bounced_address": "", "diagnostic": ""}
    said = token.scrubbed(ctx.unsent.said, ctx.keys)
    return {
        "bounced_address": header_text(ctx.unsent.address),
        "diagnostic": header_text(said, 500),
    }


def _left_behind(ctx: NoticeContext) -> tuple[dict[str, object], ...]:
    return tuple(
        {"name": header_text(file.filename), "size": file.size}
        | {"link": file.link, "mail": file.inbox}
        for file in ctx.around.left_behind
    )


def _table() -> tuple[dict[str, str], ...]:
    return tuple(
        {"name": c.name, "usage": c.usage, "effect": c.effect, "example": c.example}
        for c in COMMANDS.values()
    )


def _wish_words(status: str, ctx: NoticeContext, policy: Policy) -> dict[str, object]:
    """What belongs to wishes by reply (`core.wishes`)."""
    # Once: what closes by itself some days later is asked for then.
    stays = status == policy.life.resolved and not policy.autoclose_after
    over = status == policy.life.closed or stays
    last = ctx.last_message and ctx.last_message.astimezone(ZoneInfo(policy.timezone))
    return {
        "last_message": f"{last:%Y-%m-%d}" if last else "",
        "rating": ctx.ticket.rating,
        "wished": ctx.wished,
        "apart": ctx.apart,
        "ask_rating": over and policy.customers.rating and not ctx.ticket.rating,
    }


def _actions(ctx: NoticeContext, policy: Policy) -> dict[str, str]:
    """None where no address of this one agent's would reach us; nobody takes what is theirs."""
    agent = ctx.recipients[0].address
    reply_to = ctx.head(agent, policy.domain).reply_to
    if not ctx.ticket.number or reply_to == ctx.mailbox.address:
        return {}
    offered = actions(reply_to, ctx.note_address, ctx.ticket.number, policy)
    if folded(ctx.ticket.assignee) == folded(agent):
        del offered["take"]
    return offered


def _file_names(ctx: NoticeContext) -> tuple[str, ...]:
    """Files to look for; a picture that stands in the message is none of them."""
    files = (p for p in ctx.attachments if not p.content_id)
    return tuple(header_text(part.filename) for part in files)


def _cut(text: str) -> str:
    """A text of bearable length; the reader is told how many characters are missing."""
    if len(text) <= MAX_MESSAGE:
        return text
    return f"{text[:MAX_MESSAGE]}\n\n[… +{len(text) - MAX_MESSAGE}]"


# --- who is who ----------------------------------------------------------------------------


def _team(ctx: NoticeContext, policy: Policy) -> str:
    return ctx.mailbox.name or policy.name or ctx.mailbox.address


def _by_agent(ctx: NoticeContext, policy: Policy) -> bool:
    author = ctx.author
    return author is not None and bool(author.agent or policy.agent_for(author.address))


def _person(address: str, policy: Policy, *, whole: bool = False) -> str:
    """An agent's name; never the private address, which customers may read.

    Customers see so much of it as [agents].show_name allows; agents see the `whole` of it.
    """
    agent = policy.agent_for(address)
    if agent is None:
        return "" if "@" in address else address
    if whole or policy.show_name == "name":
        return agent.name
    return agent.name.partition(" ")[0] if policy.show_name == "first" else ""


def _author_name(notice: Notice, ctx: NoticeContext, policy: Policy) -> str:
    author = ctx.author
    if author is None:
        return ""
    if _by_agent(ctx, policy):
        known = author.agent.address if author.agent else author.address
        return _person(known, policy, whole=notice in TO_AGENTS) or _team(ctx, policy)
    return honest_name(author.name, author.address)


def honest_name(name: str, address: str) -> str:
    """A customer's name; one that looks like an address would speak for somebody else."""
    honest = name and not re.search(r"[@<>]", name)
    return name if honest else address.partition("@")[0]


def _author_address(notice: Notice, ctx: NoticeContext, policy: Policy) -> str:
    """The writer's address: of a customer always, of an agent only where it is in doubt."""
    shown = notice in _UNPROVEN or not _by_agent(ctx, policy)
    return ctx.author.address if ctx.author and shown else ""


def _signature(ctx: NoticeContext, policy: Policy) -> str:
    if ctx.author is None or not _by_agent(ctx, policy):
        return ""
    agent = ctx.author.agent or policy.agent_for(ctx.author.address)
    own = agent.signature if agent else ""
    names = dict.fromkeys((_author_name(Notice.ANSWER, ctx, policy), _team(ctx, policy)))
    return own or "\n".join(header_text(name) for name in names if name)


def _copies(ctx: NoticeContext, policy: Policy) -> tuple[str, ...]:
    """Everyone the message went to, agents apart; empty when it went to one person only."""
    sent = (to.address for to in ctx.recipients if to.role != "agent")
    everyone = dict.fromkeys(folded(address) for address in (*sent, *ctx.copies))
    known = [a for a in everyone if not policy.agent_for(a) and not policy.own(a)]
    return tuple(header_text(address) for address in known) if len(known) > 1 else ()


# --- headers -------------------------------------------------------------------------------


def _from_name(notice: Notice, ctx: NoticeContext, policy: Policy) -> str:
    team = _team(ctx, policy)
    # Nobody speaks through a mail that nothing proves.
    claims = notice is Notice.AGENT_NEW and _by_agent(ctx, policy) and not ctx.proven
    speaks = notice in _WITH_MESSAGE and notice not in _UNPROVEN and not claims
    name = header_text(_author_name(notice, ctx, policy), NAME_MAX) if speaks else ""
    if not name or name == team:
        return team
    # A customer's words must not look like an agent's, whatever name the customer chose.
    return f"{name} ({team})" if _by_agent(ctx, policy) else f"{name} via {team}"


def _threading(own: OwnHead, number: int, policy: Policy) -> bytes:
    """In-Reply-To and References; the ticket's own pseudo id comes first and joins all its mails.

    It proves nothing: anyone can guess it.
    """
    root = (f"<mg.{number}@{policy.domain}>",) if number else ()
    parent = message_ids((own.in_reply_to,))
    line = [i for i in message_ids(own.references) if i not in (*root, *parent)]
    recent = line[-(MAX_REFERENCES - 2) :]
    return id_header("In-Reply-To", parent) + id_header("References", (*root, *recent, *parent))


def _marks(notice: Notice, words: Rendered, policy: Policy) -> bytes:
    marks = header("Content-Language", words.language)
    marks += header("X-Mailgate-Loop", policy.instance or policy.domain)
    if notice in HUMAN:
        return marks
    how = "auto-replied" if notice in REPLIES else "auto-generated"
    return b"".join(
        (
            marks,
            header("Auto-Submitted", how),
            header("X-Auto-Response-Suppress", "All"),
            header("Precedence", "bulk"),
        )
    )


def _head(address: str, own: OwnHead, ctx: NoticeContext, policy: Policy) -> bytes:
    return b"".join(
        (
            address_header("To", address),
            address_header("Reply-To", own.reply_to, ctx.mailbox.name),
            id_header("Message-ID", (own.message_id,)),
            _threading(own, ctx.ticket.number, policy),
        )
    )
