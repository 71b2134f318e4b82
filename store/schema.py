"""All tables. Times are UTC and aware; a naive datetime is refused before it reaches a database."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from store.columns import Id, Json, UtcTime, id_column, ref, time, words

FIRST_TICKET = 1001  # small numbers look like an empty shop, and occur in subjects by chance


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_key(message_id: str) -> str:
    """A Message-ID as it is indexed: RFC 5322 ids are short, those of robots need not be.

    PostgreSQL takes no index entry over 2,704 bytes.
    """
    return message_id[:300]


settings = Table(
    "settings",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

# `data` is NULL when the bytes live in the blob folder.
blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary),
    time("created"),
)

people = Table(
    "people",
    metadata,
    id_column(),
    Column("address", String(320), nullable=False, unique=True),
    words("name"),
    words("language"),
    Column("proven", UtcTime),  # since when we know that mail in this name is theirs
    time("created"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("number", Id, Identity(start=FIRST_TICKET), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("status", String(50), nullable=False),
    Column("priority", String(50), nullable=False),
    Column("category", String(100), nullable=False, server_default=""),
    Column("queue", String(100), nullable=False),
    Column("group_name", String(100), nullable=False, server_default=""),
    Column("assignee", String(320), nullable=False, server_default=""),
    ref("requester", "people.id", nullable=True),
    # of the requester when it was opened: what floods are counted by
    Column("domain", String(255), nullable=False, server_default=""),
    Column("language", String(10), nullable=False, server_default=""),
    Column("source", String(50), nullable=False),
    time("created"),
    time("updated"),
    time("closed", nullable=True),
    words("resolution"),
    Column("time_spent", Integer, nullable=False, server_default="0"),  # minutes
    Column("fields", Json, nullable=False, server_default=text("'{}'")),
    ref("merged_into", "tickets.number", nullable=True, index=True),
    Index(None, "status"),
    Index(None, "updated"),
    Index(None, "requester", "created"),
    Index(None, "domain", "created"),
    sqlite_autoincrement=True,  # a number is never given twice, not even after a deletion
)

inbox = Table(
    "inbox",
    metadata,
    id_column(),
    Column("source", String(200), nullable=False),
    Column("source_key", Text, nullable=False, unique=True),
    Column("digest", String(64), ForeignKey("blobs.digest"), nullable=False, index=True),
    Column("fingerprint", String(64), nullable=False),
    Column("message_id", Text, nullable=False, server_default="", index=True),
    Column("mail_from", Text),  # NULL: the source had no envelope; "": the null sender
    Column("rcpt_tos", Json, nullable=False),
    words("peer"),
    words("helo"),
    words("login"),
    time("received"),
    Column("live", Boolean, nullable=False),
    Column("due", UtcTime),  # NULL once settled; a claim moves it into the future
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("outcome", String(20)),
    words("reason"),
    ref("ticket", "tickets.number", nullable=True),
    ref("duplicate_of", "inbox.id", nullable=True),
    Column("trace", Json, nullable=False, server_default=text("'[]'")),
    time("settled", nullable=True),
    words("vouched_by"),  # who let it out of quarantine
    ref("vouched_for", "tickets.number", nullable=True),  # ... and for which ticket
    CheckConstraint("(outcome IS NULL) = (due IS NOT NULL)", name="settled_or_waiting"),
    CheckConstraint("(outcome IS NULL) = (settled IS NULL)", name="outcome_has_time"),
    Index(
        "ix_inbox_waiting",
        "id",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index(None, "received"),
)

# Which inbox row settled this content first; every later one is its duplicate.
contents = Table(
    "contents",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    ref("inbox", "inbox.id"),
)

participants = Table(
    "participants",
    metadata,
    ref("ticket", "tickets.number", primary_key=True),
    ref("person", "people.id", primary_key=True, index=True),
    Column("role", String(20), nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("muted", Boolean, nullable=False, server_default=text("false")),
    words("added_by"),
    time("added"),
)

tags = Table(
    "tags",
    metadata,
    ref("ticket", "tickets.number", primary_key=True),
    Column("tag", String(100), primary_key=True),
    Index(None, "tag", "ticket"),
)

links = Table(
    "links",
    metadata,
    ref("ticket", "tickets.number", primary_key=True),
    ref("other", "tickets.number", primary_key=True),
    words("why"),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    ref("ticket", "tickets.number"),
    ref("inbox", "inbox.id", nullable=True, index=True),
    Column("kind", String(20), nullable=False),
    words("author"),
    words("author_name"),
    words("message_id"),
    words("subject"),
    time("at"),
    words("text"),
    words("visible"),
    Column("defects", Json, nullable=False, server_default=text("'[]'")),
    words("aside"),  # third parties whom it went to, or the one it came from, a line each
    Index(None, "ticket", "at"),
    Index(
        "ix_messages_aside",
        "ticket",
        sqlite_where=text("aside <> ''"),
        postgresql_where=text("aside <> ''"),
    ),
)

attachments = Table(
    "attachments",
    metadata,
    id_column(),
    ref("message", "messages.id", index=True),
    Column("part", Integer, nullable=False),
    words("filename"),
    words("content_type"),
    Column("size", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("inline", Boolean, nullable=False),
    words("content_id"),
)

# Every Message-ID that a ticket's mails carry or refer to, whether we ever saw that mail or not.
mail_ids = Table(
    "mail_ids",
    metadata,
    Column("message_id", String(300), primary_key=True),
    ref("ticket", "tickets.number", primary_key=True),
    Column("referenced_only", Boolean, nullable=False),
)

# Append-only; a trigger in the database refuses UPDATE and DELETE.
events = Table(
    "events",
    metadata,
    id_column(),
    ref("ticket", "tickets.number", nullable=True, index=True),
    ref("inbox", "inbox.id", nullable=True),
    Column("outbox", Id),
    time("at"),
    words("actor"),
    Column("kind", String(50), nullable=False),
    Column("data", Json, nullable=False, server_default=text("'{}'")),
)

outbox = Table(
    "outbox",
    metadata,
    id_column(),
    ref("ticket", "tickets.number", nullable=True, index=True),  # NULL: an alert
    Column("notice", String(50), nullable=False),
    Column("message_id", String(300), nullable=False, unique=True),  # of the first copy
    words("mail_from"),
    Column("automatic", Boolean, nullable=False),
    ref("inbox", "inbox.id", nullable=True, index=True),  # the mail that caused it
    Column("digest", String(64), ForeignKey("blobs.digest"), nullable=False),
    time("created"),
    Index(None, "created"),
)

outbox_recipients = Table(
    "outbox_recipients",
    metadata,
    id_column(),
    ref("outbox", "outbox.id"),
    Column("address", String(320), nullable=False),
    words("role"),
    # "": the copy has the Message-ID of the mail itself, as the first one may have
    Column("message_id", String(300), nullable=False, server_default=""),
    words("mail_from"),
    Column("number", BigInteger),  # named by the token in its return path
    Column("head", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False, server_default="pending"),
    Column("due", UtcTime),  # NULL when nothing is left to do; a claim moves it into the future
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("code", Integer, nullable=False, server_default="0"),
    words("text"),
    words("route"),
    time("queued"),
    time("changed"),
    UniqueConstraint("outbox", "address"),
    CheckConstraint(
        "(due IS NULL) = (state IN ('sent', 'failed', 'cancelled'))", name="due_unless_final"
    ),
    Index(
        "ix_outbox_recipients_due",
        "due",
        "id",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    Index(None, "address", "queued"),
    Index(
        "ix_outbox_recipients_to_people",  # what the gate counts
        "queued",
        "outbox",
        sqlite_where=text("role <> 'agent'"),
        postgresql_where=text("role <> 'agent'"),
    ),
    Index(
        "ix_outbox_recipients_message_id",
        "message_id",
        unique=True,
        sqlite_where=text("message_id <> ''"),
        postgresql_where=text("message_id <> ''"),
    ),
    Index(None, "number", unique=True),
)

clocks = Table(
    "clocks",
    metadata,
    id_column(),
    ref("ticket", "tickets.number"),
    Column("kind", String(50), nullable=False),
    Column("due", UtcTime, index=True),  # NULL once it has rung or was stopped
    time("started"),
    UniqueConstraint("ticket", "kind"),
)

imap_cursors = Table(
    "imap_cursors",
    metadata,
    Column("source", Text, primary_key=True),  # host/user/folder, each as long as it likes
    Column("uidvalidity", BigInteger, nullable=False, server_default="0"),
    Column("last_uid", BigInteger, nullable=False, server_default="0"),
    words("holder"),
    Column("held_until", UtcTime),
    time("changed"),
)

sources = Table(
    "sources",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("last_success", UtcTime),
    Column("last_failure", UtcTime),
    words("detail"),
)

# Secrets that tokens are sealed with: `mailgate.core.token.Key`.
keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1 to 255, one octet of a token
    Column("secret", LargeBinary, nullable=False),
    time("created"),
    Column("retired", UtcTime),
    Column("valid_until", UtcTime),
    CheckConstraint("id BETWEEN 1 AND 255", name="id_fits_an_octet"),
)

# Tokens of an older generation prove nothing any more; no row is generation 0.
generations = Table(
    "generations",
    metadata,
    ref("ticket", "tickets.number", primary_key=True),
    Column("address", String(320), primary_key=True),  # in lower case
    Column("generation", Integer, nullable=False),
)

# Mails that wait for approval: `mailgate.core.decision.HeldMail`.
held = Table(
    "held",
    metadata,
    id_column(),
    ref("ticket", "tickets.number", index=True),
    ref("message", "messages.id", unique=True),
    ref("inbox", "inbox.id"),
    words("author"),
    words("owner"),
    words("why"),
    time("created"),
    time("expires"),
    Column("state", String(20), nullable=False, server_default="waiting"),
    time("changed"),
    words("by"),
    Index(None, "owner", "created"),
    Index(
        "ix_held_waiting",
        "expires",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

# Addresses that mail did not reach; nothing goes to a paused one.
undeliverable = Table(
    "undeliverable",
    metadata,
    Column("address", String(320), primary_key=True),  # in lower case
    Column("failures", Integer, nullable=False),  # within the last days that count
    Column("previous", UtcTime),  # when the failure before the last one was
    Column("paused", UtcTime),  # NULL: it is still written to
    words("reason"),
    time("changed"),  # when the last failure was
)

# What the gate has said or done already, and until when that holds.
marks = Table(
    "marks",
    metadata,
    Column("name", String(300), primary_key=True),
    time("until"),
    words("why"),
)
