"""Config and rules -> the Policy that decisions use."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from mailgate.config.models import Config
from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import FILES, Customers, Policy, Rule, Trust
from mailgate.core.ticket import LifeCycle

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as datetime counts them


def policy(
    config: Config, rules: tuple[Rule, ...], languages: tuple[str, ...], instance: str
) -> Policy:
    """The frozen value that decisions see; `instance` is this installation's id."""
    desk, tickets = config.helpdesk, config.tickets
    return Policy(
        domain=desk.domain,
        name=desk.name,
        instance=instance,
        language=desk.language,
        languages=languages,
        subject_tag=desk.subject_tag,
        old_tags=desk.old_tags,
        mailboxes=_mailboxes(config),
        agents=_agents(config),
        groups=dict(tickets.groups),
        life=_life(config),
        priorities=tickets.priorities,
        default_priority=tickets.default_priority,
        categories=tickets.categories,
        reopen_within=timedelta(days=tickets.reopen_days),
        autoclose_after=timedelta(days=tickets.autoclose_days),
        reopen_by_queue={
            box.queue: timedelta(days=box.reopen_days)
            for box in config.mailbox
            if box.reopen_days is not None
        },
        max_cc=config.limits.max_cc,
        trust=_trust(config),
        flood_mails=config.limits.flood_mails,
        flood_domain_mails=config.limits.flood_domain_mails,
        flood_minutes=config.limits.flood_minutes,
        first_answer_takes=config.agents.first_answer_takes,
        guard=config.agents.collision,
        transcripts=config.agents.transcripts,
        undo_within=timedelta(seconds=config.agents.undo_seconds),
        fields=tickets.fields,
        zone=ZoneInfo(desk.timezone),
        rules=rules,
        customers=_customers(config),
        show_name=config.agents.show_name,
        attachments_max=config.agents.attachments_max,
        quote_lines=config.agents.quote_lines,
        public_url=desk.public_url,
        files_url=_files_url(config),
        timezone=desk.timezone,
        digest=config.agents.digest,
        duty=config.agents.duty,
        workdays=frozenset(DAYS.index(day) for day in config.sla.hours),
    )


def _files_url(config: Config) -> str:
    url = config.helpdesk.public_url
    return f"{url}{FILES}" if url and config.web.listen else ""


def _customers(config: Config) -> Customers:
    section = config.customers
    return Customers(
        status=section.status, close=section.close, rating=section.rating, stop=section.stop
    )


def _trust(config: Config) -> Trust:
    trust = config.trust
    return Trust(
        authserv_id=trust.authserv_id.strip().lower(),
        hops=trust.hops,
        below=trust.below,
        require=trust.require,
        verify=trust.verify,
        trusted=tuple(network for section in config.smtp for network in section.trusted),
        reply_domain=trust.reply_domain or "",
        plus=frozenset(box.address.lower() for box in config.mailbox if _plus(config)),
        agent_days=trust.agent_token_days,
        customer_days=trust.customer_token_days,
        challenge_hours=trust.challenge_hours,
    )


def _plus(config: Config) -> bool:
    """Whether `support+tag@` reaches us as `support@` does.

    A server that knows no subaddressing (RFC 5233) would refuse every answer, so it is only taken
    for granted where a listener of our own is all there is.
    """
    if config.trust.plus_addressing != "auto":
        return config.trust.plus_addressing == "yes"
    return bool(config.smtp) and not config.imap


def _mailboxes(config: Config) -> tuple[Mailbox, ...]:
    return tuple(
        Mailbox(
            address=box.address,
            name=box.name or config.helpdesk.name,
            queue=box.queue,
            aliases=box.aliases,
            language=box.language or config.helpdesk.language,
        )
        for box in config.mailbox
    )


def _agents(config: Config) -> tuple[Agent, ...]:
    return tuple(
        Agent(
            address=agent.address,
            name=agent.name,
            aliases=agent.aliases,
            queues=agent.queues,
            lead=agent.lead,
            signature=agent.signature,
        )
        for agent in config.agent
    )


def _life(config: Config) -> LifeCycle:
    tickets = config.tickets
    return LifeCycle(
        statuses=tickets.statuses,
        transitions=tickets.table(),
        initial=tickets.initial,
        active=tickets.active,
        pending=tickets.pending,
        resolved=tickets.resolved,
        closed=tickets.closed,
    )
