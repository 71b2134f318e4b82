"""Mail from a folder of an IMAP account: taken by UID, acknowledged by our own cursor."""

from mailgate.sources.imap.cursors import DatabaseCursors
from mailgate.sources.imap.settings import Cursor, Cursors, Health, ImapSettings, Submit
from mailgate.sources.imap.source import ImapSource

__all__ = [
    "Cursor",
    "Cursors",
    "DatabaseCursors",
    "Health",
    "ImapSettings",
    "ImapSource",
    "Submit",
]
