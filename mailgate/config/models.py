"""The configuration as frozen values, one class per section of config.toml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mailgate.config.channels import ImapSection, RelaySection, Section, SmtpSection
from mailgate.config.fields import (
    ConfigPath,
    Count,
    DataDir,
    Domain,
    Duration,
    Endpoint,
    Language,
    Line,
    ListenOrNone,
    MailAddress,
    Positive,
    RulesFile,
    Size,
    StrictBool,
    Tag,
    Text,
    TimeZone,
)
from mailgate.config.problems import wrong
from mailgate.core.ticket import TRANSITIONS


def _url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise wrong("is not a web address", 'write one like "https://help.example.org"')
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if value == "sqlite" or value.startswith(("sqlite:///", "postgresql+psycopg://")):
        return value
    raise wrong(
        "names no database that mailgate knows",
        'write "sqlite" or "postgresql+psycopg://USER@HOST/NAME"',
    )


def _guard(value: object) -> object:
    if value == "strict":
        raise wrong('says "strict", as "hold" was called once', 'write "hold"')
    return value


Guard = Annotated[Literal["hold", "colleagues", "send"], BeforeValidator(_guard)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hour = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")]
Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$")]


class HelpdeskSection(Section):
    """[helpdesk]: who we are and where our files lie."""

    name: Text = "Support"
    domain: Domain
    data_dir: DataDir = Field(default=Path(), validate_default=True)
    public_url: Annotated[str, AfterValidator(_url)] = ""
    language: Language = "en"
    timezone: TimeZone = "UTC"
    rules: RulesFile = Field(default=None, validate_default=True)
    templates: ConfigPath | None = None
    subject_tag: Tag = ""
    old_tags: tuple[Tag, ...] = ()
    ops: tuple[MailAddress, ...] = ()  # alerts go there; leads, else the first agent by default


class DatabaseSection(Section):
    """[database]: where rows are kept. The URL may hold a password and is never shown."""

    url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite", repr=False, exclude=True
    )
    blob_inline_max: Count = 65536  # octets; larger blobs are files below data_dir


class MailboxSection(Section):
    """[[mailbox]]: an address we receive for, and the queue where its tickets live."""

    address: MailAddress
    name: Text | None = None  # the display name of our mail; [helpdesk].name by default
    queue: Text = "support"
    aliases: tuple[MailAddress, ...] = ()
    language: Language | None = None  # [helpdesk].language by default
    reopen_days: Count | None = None  # of its queue; [tickets].reopen_days by default


class AgentSection(Section):
    """[[agent]]: someone who answers tickets."""

    address: MailAddress
    aliases: tuple[MailAddress, ...] = ()
    name: Line = ""
    queues: tuple[Text, ...] = ()  # empty: all queues
    lead: StrictBool = False
    signature: str = ""


class WebSection(Section):
    """[web]: the read-only pages; an empty `listen` turns them off."""

    listen: ListenOrNone = Endpoint("127.0.0.1", 8025)


class TrustSection(Section):
    """[trust]: whose word about a sender counts, what an agent's mail must prove, reply addresses.

    `mailgate trust learn` finds out `authserv_id`, `hops` and `below`.
    """

    authserv_id: Line = ""
    hops: Positive = 1  # Received headers that our own servers write
    below: StrictBool = False  # our server writes its result below its own Received header
    require: Literal["auto", "strict"] = "auto"
    verify: StrictBool = False  # check SPF, DKIM and DMARC ourselves for peers not trusted
    reply_domain: Domain | None = None
    # "auto": for mailboxes that only listeners of ours receive for
    plus_addressing: Literal["auto", "yes", "no"] = "auto"
    agent_token_days: Positive = 30
    customer_token_days: Positive = 365
    challenge_hours: Positive = 24


class AgentsSection(Section):
    """[agents]: how agents' answers leave."""

    undo_seconds: Count = 0
    first_answer_takes: StrictBool = True  # a ticket of nobody's becomes theirs who answer it
    transcripts: Literal["always", "problems"] = "always"
    # of an answer that came after somebody else's message; colleagues: after theirs alone
    collision: Guard = "hold"
    show_name: Literal["name", "first", "team"] = "name"  # what customers see of an agent
    attachments_max: Size = 10 << 20  # octets that go along with one notice
    digest: Hour = ""  # when each agent gets a list of their tickets, in [helpdesk].timezone
    duty: tuple[MailAddress, ...] = ()  # who decides on what waits for somebody; empty: leads
    quote_lines: Count = 30  # of the customer's last message, below an answer; 0: none


class LimitsSection(Section):
    """[limits]: what one mail, one client and one parse may cost."""

    max_size: Size = 25 << 20  # octets of one mail
    recipients: Positive = 100  # of one SMTP transaction
    connections: Positive = 500  # to one listener, as all the following
    connections_per_ip: Positive = 20
    commands: Positive = 1000  # in one session since its last accepted mail
    errors: Positive = 20  # replies of 4xx and 5xx in one session
    idle_seconds: Positive = 300
    min_rate: Count = 500  # octets a second
    memory: Size = 256 << 20  # octets of all mails under way
    parse_seconds: Positive = 5
    parse_memory: Size = 512 << 20  # octets
    max_cc: Count = 10  # CC addresses taken over from one mail
    flood_mails: Count = 50  # new tickets of one sender within flood_minutes; 0: never a flood
    flood_domain_mails: Count = 300  # of one domain
    flood_minutes: Positive = 10


class RetentionSection(Section):
    """[retention]: days until something is removed; 0 keeps it for ever."""

    ignored_days: Count = 30
    quarantined_days: Count = 90
    closed_days: Count = 0


class SlaSection(Section):
    """[sla]: time until the first answer and until the solution, by priority."""

    hours: Mapping[Day, Hours] = Field(default_factory=dict)  # empty: all hours count
    holidays: tuple[date, ...] = ()
    answer: Mapping[str, Duration] = Field(default_factory=dict)
    resolve: Mapping[str, Duration] = Field(default_factory=dict)


class GateSection(Section):
    """[gate]: how much mail a machine may send; 0 is no cap. A mail to three people counts thrice.

    The caps in front are on automatic mail (confirmation, assignment, status, closure) to people
    who are no agents. Answers are an agent's words and are never capped.
    """

    per_address_hour: Count = 3  # set off by an incoming mail
    per_address_day: Count = 10
    changes_hour: Count = 30  # to one address, set off by an agent's change
    per_ticket_hour: Count = 40
    per_kind_hour: Count = 0  # of one notice
    per_domain_hour: Count = 100  # to one domain, set off by senders who are not proven
    total_hour: Count = 500
    confirm_cc: StrictBool = True  # a confirmation to the CC list of a proven sender too
    copies_hour: Count = 60  # of participants' words to one address on one ticket
    copies_day: Count = 200
    copies_total_hour: Count = 500  # to all addresses together
    agent_hour: Count = 120  # notices to one agent
    agent_ticket_hour: Count = 30  # of them on one ticket
    alerts_hour: Count = 5  # to one address
    storm_mails: Count = 200  # more automatic mails than this, to people who are no agents,
    storm_minutes: Positive = 10  # within this time,
    pause_minutes: Positive = 60  # and none leaves for so long


class TicketsSection(Section):
    """[tickets]: the life cycle and the words that tickets are sorted by."""

    statuses: tuple[Text, ...] = tuple(TRANSITIONS)
    initial: Text = "new"
    active: Text = "open"  # set when a customer writes again
    pending: Text = "waiting"  # set when an agent has answered
    resolved: Text = "resolved"
    closed: Text = "closed"
    transitions: Mapping[str, tuple[Text, ...]] = Field(default_factory=dict)
    priorities: tuple[Text, ...] = ("low", "normal", "high", "urgent")
    default_priority: Text = "normal"
    categories: tuple[Text, ...] = ()  # empty: any word is a category
    fields: tuple[Text, ...] = ()  # custom fields that `#set` may set; empty: any
    groups: Mapping[str, tuple[MailAddress, ...]] = Field(default_factory=dict)
    reopen_days: Count = 14
    autoclose_days: Count = 0  # 0: never

    def table(self) -> Mapping[str, tuple[str, ...]]:
        """From each status to those it may change to.

        Without [tickets.transitions] the default life cycle, or, with statuses of one's own,
        every change.
        """
        if self.transitions:
            return self.transitions
        if self.statuses == tuple(TRANSITIONS):
            return TRANSITIONS
        return {old: tuple(s for s in self.statuses if s != old) for old in self.statuses}


class CustomersSection(Section):
    """[customers]: what people can have by answering with a word and nothing else."""

    status: StrictBool = True  # "status?" is answered with the state
    close: StrictBool = True  # "close" or "solved" ends a ticket
    rating: StrictBool = True  # a digit from 1 to 5 after the end; our mail asks for it
    stop: StrictBool = True  # "stop" ends the mail about a ticket, for that person


class Config(Section):
    """All of config.toml. Paths are absolute, addresses have their domain in lower case."""

    helpdesk: HelpdeskSection
    database: DatabaseSection = DatabaseSection()
    mailbox: tuple[MailboxSection, ...] = ()
    agent: tuple[AgentSection, ...] = ()
    smtp: tuple[SmtpSection, ...] = ()
    imap: tuple[ImapSection, ...] = ()
    relay: tuple[RelaySection, ...] = ()
    web: WebSection = WebSection()
    trust: TrustSection = TrustSection()
    agents: AgentsSection = AgentsSection()
    limits: LimitsSection = LimitsSection()
    retention: RetentionSection = RetentionSection()
    sla: SlaSection = SlaSection()
    gate: GateSection = GateSection()
    tickets: TicketsSection = TicketsSection()
    customers: CustomersSection = CustomersSection()

    def database_url(self) -> str:
        """The URL for SQLAlchemy; `sqlite` becomes `data_dir/mailgate.db`."""
        if self.database.url == "sqlite":
            return f"sqlite:///{self.helpdesk.data_dir / 'mailgate.db'}"
        return self.database.url
