"""Whom a mail is addressed to: which of our mailboxes, and which people besides us."""

from __future__ import annotations

from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.people import Mailbox
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView


def mailbox(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Mailbox | None:
    """The mailbox it was written to: by envelope, then by To and Cc, else the first one."""
    written = (*envelope.rcpt_tos, *(a.addr for a in (*mail.to, *mail.cc)))
    found = (policy.mailbox_for(address) for address in written)
    return next((box for box in found if box), next(iter(policy.mailboxes), None))


def others(mail: ParsedMail, ticket: TicketView, policy: Policy) -> tuple[Address, ...]:
    """People in To and Cc who are new to the ticket, at most `max_cc`; never agents or us."""
    known = {ticket.requester, *ticket.cc, *ticket.removed}
    fresh: dict[str, Address] = {}
    for address in (*mail.to, *mail.cc):
        ours = policy.own(address.addr) or policy.agent_for(address.addr)
        itself = mail.sender is not None and address.addr == mail.sender.addr
        if "@" in address.addr and not (ours or itself) and address.addr not in known:
            fresh.setdefault(address.addr, address)
    return tuple(fresh.values())[: policy.max_cc]


def present(mail: ParsedMail) -> frozenset[str]:
    """Who has the mail already, by its own To and Cc."""
    return frozenset(a.addr.lower() for a in (*mail.to, *mail.cc))
