"""Kinds of files that clients add to a mail for themselves and that are never for customers."""

from __future__ import annotations

# A certificate or key names the private address of whoever signed.
SIGNATURES = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
    }
)
# What only another client of the same kind can open: Outlook's winmail.dat holds the whole mail
# with its quote, a signed or encrypted envelope the certificate.
SEALED = frozenset(
    {
        "application/ms-tnef",
        "application/vnd.ms-tnef",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pgp-encrypted",
    }
)
# They name people by their addresses.
NAMING = frozenset(
    {"text/vcard", "text/x-vcard", "text/directory", "text/calendar", "application/ics"}
)
