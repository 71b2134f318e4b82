"""Config and rules -> the Policy that decisions use."""

from __future__ import annotations

from datetime import timedelta

from mailgate.config.models import Config
from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import Policy, Rule
from mailgate.core.ticket import LifeCycle


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
        max_cc=config.limits.max_cc,
        rules=rules,
    )


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
