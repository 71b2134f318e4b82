"""Policy: every setting a decision may use, as one frozen value made from config and rules.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from ipaddress import IPv4Network, IPv6Network

from mailgate.core.mail import Kind
from mailgate.core.people import Agent, Mailbox
from mailgate.core.ticket import LifeCycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One value of a condition, written as in rules.yaml.

    Plain text is looked for as a case-insensitive part; `/text/` is a regular expression; in
    address and attachment conditions `*` and `?` are wildcards and the whole value must match.
    """

    written: str
    regex: str  # what it is compiled to; matched with a time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One key of a rule's `when` or `unless`: true when any of its patterns matches the field."""

    field: str  # from, to, cc, subject, body, attachment, queue, kind, language, header:<name>
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One key of a rule's `then`: see `core.rules.ACTIONS`."""

    name: str  # category, priority, assign, tag, cc, status, ignore
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """All of `when` and none of `unless`: then the actions apply, in order."""

    name: str
    where: str  # "rules.yaml:12", for traces and errors
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    then: tuple[Action, ...] = ()
    on: str = "new"  # new | reply | any
    stop: bool = False  # no later rule is looked at when this one matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """[trust]: whose word counts, what an agent's mail must prove, how our addresses are made."""

    authserv_id: str = ""  # whose Authentication-Results count; "" nobody's
    hops: int = 1  # Received headers that our own servers write; what stands below is a stranger's
    below: bool = False  # our server writes its result below its own Received header
    require: str = "auto"  # auto | strict
    verify: bool = False  # check SPF, DKIM and DMARC ourselves for peers that are not trusted
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()  # peers that are servers of ours
    reply_domain: str = ""  # reply addresses live there; "" the mailbox's own domain
    plus: frozenset[str] = frozenset()  # mailboxes (addresses) that receive mail for +tags
    agent_days: int = 30  # how long an agent's token is a proof
    customer_days: int = 365
    date_days: int = 5  # an older Date makes an agent's mail a possible replay
    challenge_hours: int = 24
    challenges_week: int = 3  # of one agent, before the leads are told what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """[customers]: what people can have by answering with a word alone (`core.wishes`)."""

    status: bool = True
    close: bool = True
    rating: bool = True
    stop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a decision may know of the configuration."""

    domain: str = "example.org"  # our Message-IDs end in it
    name: str = "Support"
    instance: str = ""  # this installation's id, carried in our loop header
    language: str = "en"
    languages: tuple[str, ...] = ("en",)  # those that have templates
    subject_tag: str = ""  # "[#1042]", or "[TAG#1042]" when set
    old_tags: tuple[str, ...] = ()  # tags of earlier days, still understood
    mailboxes: tuple[Mailbox, ...] = ()
    agents: tuple[Agent, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> agents' addresses
    life: LifeCycle = field(default_factory=LifeCycle)
    priorities: tuple[str, ...] = ("low", "normal", "high", "urgent")
    default_priority: str = "normal"
    categories: tuple[str, ...] = ()
    reopen_within: timedelta = timedelta(days=14)
    autoclose_after: timedelta = timedelta(0)  # resolved -> closed; 0 is never
    reopen_by_queue: Mapping[str, timedelta] = field(default_factory=dict)
    max_cc: int = 10  # CC addresses taken over from one mail
    trust: Trust = field(default_factory=Trust)
    flood_mails: int = 50  # new tickets of one sender within `flood_minutes` are a flood; 0 never
    flood_domain_mails: int = 300  # of one domain
    flood_minutes: int = 10
    first_answer_takes: bool = True  # whoever answers first is assigned
    # of an answer that came after somebody else's message: hold | colleagues (theirs alone) | send
    guard: str = "hold"
    transcripts: str = "always"  # always | problems: when an agent is told what a mail did
    undo_within: timedelta = timedelta(0)  # how long an agent's mail waits, and can be undone
    fields: tuple[str, ...] = ()  # names of custom fields; empty: any
    zone: tzinfo = UTC  # in which agents write times
    rules: tuple[Rule, ...] = ()
    customers: Customers = field(default_factory=Customers)
    show_name: str = "name"  # of agents in mail to customers: name | first | team
    attachments_max: int = 10 << 20  # octets of attachments that go along with an agent's notice
    quote_lines: int = 30  # of the customer's last message, below an answer; 0: none
    public_url: str = ""  # where the web pages are reached, "" nowhere
    files_url: str = ""  # what links to files begin with, "" where no page of ours serves them
    digest: str = ""  # "08:00": when agents get their morning digest; "" never
    duty: tuple[str, ...] = ()  # agents who decide on what waits for somebody; empty: leads
    workdays: frozenset[int] = frozenset()  # on which days, Monday is 0; empty: on all
    timezone: str = "UTC"  # of the times written in mail

    def mailbox_for(self, address: str) -> Mailbox | None:
        """The mailbox an address or alias belongs to, without regard to case or +tag."""
        low = folded(address)
        wanted = {low, without_tag(low)}
        for box in self.mailboxes:
            if wanted & {folded(box.address), *(folded(a) for a in box.aliases)}:
                return box
        return None

    def mailbox_of(self, queue: str) -> Mailbox | None:
        """The first mailbox whose tickets live in `queue`."""
        return next((box for box in self.mailboxes if box.queue == queue), None)

    def agent_for(self, address: str) -> Agent | None:
        """The agent known by this registered address or alias."""
        low = folded(address)
        for agent in self.agents:
            if low and low in (folded(agent.address), *(folded(a) for a in agent.aliases)):
                return agent
        return None

    def agents_of(self, queue: str) -> tuple[Agent, ...]:
        """Agents who work in `queue`; an agent without queues works in all of them."""
        return tuple(a for a in self.agents if not a.queues or queue in a.queues)

    @property
    def on_duty(self) -> tuple[Agent, ...]:
        """Agents who get the duty list, and may answer it; whoever leads, where none is named."""
        if not self.duty:
            return tuple(agent for agent in self.agents if agent.lead)
        named = {folded(address) for address in self.duty}
        return tuple(agent for agent in self.agents if folded(agent.address) in named)

    def own(self, address: str) -> bool:
        """Whether mail to `address` comes back to us: never a requester, never written to."""
        domain = folded(address).rpartition("@")[2]
        at_replies = bool(self.trust.reply_domain) and domain == self.trust.reply_domain
        return at_replies or self.mailbox_for(address) is not None

    def reopens_within(self, queue: str) -> timedelta:
        """How long after its closing an answer opens a ticket of this queue again."""
        return self.reopen_by_queue.get(queue, self.reopen_within)


# The path of links to files, below the address of the web pages.
FILES = "/file/"

# Kinds that must never be answered by a machine (RFC 3834, section 2).
AUTOMATIC_KINDS: frozenset[Kind] = frozenset({Kind.AUTO_REPLY, Kind.BOUNCE, Kind.LIST})


_CAPITALS = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}


def folded(address: str) -> str:
    """An address for comparing: a Kelvin sign is no k, as Unicode's own folding has it."""
    return address.translate(_CAPITALS)


def without_tag(address: str) -> str:
    """`support+abc@x` -> `support@x` (subaddressing, RFC 5233)."""
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"
