"""Names of attachments that are safe on every system.

Part of `parse`. The octets of an attachment are stored by digest; its name is only shown and sent.
"""

from __future__ import annotations

import re

from mailgate.core.charset import one_line
from mailgate.core.header import MAX_FIELD, decode_words, raw_text, split_head
from mailgate.core.mime import Node

_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/rfc822-headers": ".txt",
    "text/enriched": ".txt",
    "text/richtext": ".txt",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/tiff": ".tiff",
    "image/bmp": ".bmp",
    "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/msword": ".doc",
    "application/rtf": ".rtf",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
}
_BAD_IN_NAME = re.compile(r'[<>:"|?*]+')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)


def clean_name(name: str) -> str:
    """A file name safe on every system, or "": no path, no controls, no reserved word.

    At most 150 characters and 240 octets of UTF-8, the extension kept.
    """
    base = one_line(name, MAX_FIELD).replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    base = _BAD_IN_NAME.sub("_", base).strip(". ")
    if _RESERVED.match(base):
        base = f"_{base}"
    stem, dot, extension = base.rpartition(".")
    if not dot or len(extension) > 20:
        stem, extension = base, ""
    else:
        extension = f".{extension}"
    stem = stem[: 150 - len(extension)]
    while len((stem + extension).encode("utf-8")) > 240:
        stem = stem[:-1]
    return (stem + extension).strip(". ")


def _subject_of(data: bytes) -> str:
    """The subject of an attached mail."""
    return one_line(decode_words(raw_text(split_head(data[: 64 * 1024]).first("subject"))), 120)


def file_name(node: Node, number: int, data: bytes) -> str:
    """The name an attachment is shown and stored under; never empty."""
    found = clean_name(node.name)
    if not found and node.kind in ("message/rfc822", "message/global"):
        subject = clean_name(_subject_of(data).replace("/", "_").replace("\\", "_"))
        found = f"{subject}.eml" if subject else ""
    return found or f"attachment-{number}{_EXTENSIONS.get(node.kind, '.bin')}"
