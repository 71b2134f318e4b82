"""Whom a mail is addressed to: which of our mailboxes, and which people besides us."""

from __future__ import annotations

import email_validator

from mailgate.core.addresses import normal
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.people import Mailbox
from mailgate.core.policy import Policy
from mailgate.core.robots import is_daemon, is_unread
from mailgate.core.ticket import TicketView

# A help desk may well serve a network of its own: .test, .local and localhost are places, too.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def mailbox(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Mailbox | None:
    """The mailbox it was written to: by envelope, then by To and Cc, else the first one."""
    written = (*envelope.rcpt_tos, *(a.addr for a in (*mail.to, *mail.cc)))
    found = (policy.mailbox_for(address) for address in written)
    return next((box for box in found if box), next(iter(policy.mailboxes), None))


def taken_over(
    mail: ParsedMail, ticket: TicketView, policy: Policy
) -> tuple[tuple[Address, ...], tuple[tuple[str, str], ...]]:
    """People in To and Cc who become CC, at most `policy.max_cc`, and (address, why not).

    Whoever has the ticket already, and the author, stand in neither. Addresses are compared in
    their one form (`addresses.normal`), so that case and the spelling of a domain do not matter;
    it never depends on the DNS.
    """
    known = {_form(address) for address in (*ticket.participants, _author(mail))}
    removed = {_form(address) for address in ticket.removed}
    added: dict[str, Address] = {}
    left_out: dict[str, str] = {}
    for person in (*mail.to, *mail.cc):
        form = _form(person.addr)
        if form in known or form in added or form in left_out:
            continue
        why = "was taken off this ticket" if form in removed else why_not(form, policy)
        if not why and len(added) >= policy.max_cc:
            why = f"no more than {policy.max_cc} people of one mail"
        if why:
            left_out[form] = why
        else:
            added[form] = person
    return tuple(added.values()), tuple(left_out.items())


def present(mail: ParsedMail) -> frozenset[str]:
    """Who has the mail already, by its own To and Cc."""
    return frozenset(a.addr.lower() for a in (*mail.to, *mail.cc))


def _author(mail: ParsedMail) -> str:
    """The address in From, "" when there is no single one."""
    return mail.sender.addr if mail.sender else ""


def _form(address: str) -> str:
    return normal(address) or address.lower()


def why_not(address: str, policy: Policy) -> str:
    """Why an address must not be put on a ticket by a mail that names it, "" when it may."""
    if policy.own(address):
        return "one of our own addresses"
    if policy.agent_for(address):
        return "an agent"
    if is_daemon(address) or is_unread(address):
        return "nobody reads mail there"
    if address.rpartition(".")[2].isdigit():  # it would be an IP address, which wants brackets
        return "no valid address: its domain ends in a number"
    try:
        email_validator.validate_email(
            address,
            strict=True,
            check_deliverability=False,
            globally_deliverable=False,
            allow_quoted_local=True,
        )
    except email_validator.EmailNotValidError as error:
        return f"no valid address: {error}"
    return ""
