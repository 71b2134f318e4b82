"""Files that came with mails: which tickets they are on, and where in which mail they lie."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from store.schema import attachments, inbox, messages

_M, _A = messages.c, attachments.c
_OF = (
    select(_M.ticket, _A.part, _A.filename, _A.size, _A.digest, inbox.c.digest.label("mail"))
    .join(messages, _M.id == _A.message)
    .join(inbox, inbox.c.id == _M.inbox)
    .where(
        _M.inbox == bindparam("inbox"),
        _A.digest >= bindparam("first"),
        _A.digest < bindparam("last"),
    )
    .order_by(_A.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file on a ticket; its bytes are in the mail."""

    ticket: int
    inbox: int
    mail: str  # digest of the mail
    part: int  # as `core.mail.Attachment` counts them
    filename: str
    size: int  # octets
    digest: str  # of the file


class Files:
    """Rows of `attachments`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def of(self, inbox_id: int, digest: str) -> tuple[StoredFile, ...]:
        """The files of an accepted mail whose digest begins so; on each ticket that has them."""
        asked = {"inbox": inbox_id, "first": digest, "last": f"{digest}g"}  # "g" is above "f"
        return tuple(
            StoredFile(
                ticket=row.ticket,
                inbox=inbox_id,
                mail=row.mail,
                part=row.part,
                filename=row.filename,
                size=row.size,
                digest=row.digest,
            )
            for row in self._conn.execute(_OF, asked)
        )
