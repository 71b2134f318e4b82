"""Delivery reports as mail servers write them, in the shapes that follow no standard.

Each sample: who wrote it, its subject, its text, and what it says of whom. `{}` in a text is the
address that failed.
"""

from __future__ import annotations

from dataclasses import dataclass

DEAD = "ann@customer.test"
OURS = "<mg.copy@help.test>"
RETURNED = (
    f"From: Support <support@help.test>\nTo: {DEAD}\nSubject: [#7] Printer\n"
    f"Message-ID: {OURS}\nDate: Mon, 4 May 2026 09:00:00 +0000\n\nHello,\n\nit prints again.\n"
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One report; `status` and `words` are what is found out besides the address."""

    sender: str
    subject: str
    text: str
    action: str = "failed"
    status: str = ""
    words: str = ""  # part of the diagnostic
    returned: str = ""  # what stands between the words and the returned mail, "" none
    header: str = ""  # more header lines, each with its line end

    @property
    def raw(self) -> bytes:
        """The report as it comes in."""
        text = self.text.format(DEAD)
        if self.returned:
            text += f"\n{self.returned}\n\n{RETURNED}"
        head = (
            f"From: {self.sender}\nTo: support@help.test\nSubject: {self.subject}\n"
            f"Date: Mon, 4 May 2026 09:05:00 +0000\nMessage-ID: <report@mx.test>\n{self.header}"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: 8bit\n\n"
        )
        return (head + text).encode().replace(b"\n", b"\r\n")


def outlook(subject: str, text: str, action: str = "failed", status: str = "5.1.1") -> Sample:
    """What Exchange writes where a gateway has torn the standard part away."""
    return Sample(
        sender="Microsoft Outlook <postmaster@customer.test>",
        subject=subject,
        text=text,
        action=action,
        status=status,
    )


_SERVER = (
    "\n\nmx.customer.test\n{0}\nRemote Server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound; "
    "not found'\n"
)
SAMPLES: dict[str, Sample] = {
    "qmail": Sample(
        sender="MAILER-DAEMON@mx.customer.test",
        subject="failure notice",
        text=(
            "Hi. This is the qmail-send program at mx.customer.test.\n"
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            "<{}>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
        ),
        status="5.1.1",
        words="no mailbox here by that name",
        returned="--- Below this line is a copy of the message.",
    ),
    "exim": Sample(
        sender="Mail Delivery System <Mailer-Daemon@mx.customer.test>",
        subject="Mail delivery failed: returning message to sender",
        text=(
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to one or more of its\n"
            "recipients. This is a permanent error. The following address(es) failed:\n\n"
            "  {}\n    host mx.customer.test [192.0.2.7]\n"
            "    SMTP error from remote mail server after RCPT TO:<{}>:\n"
            "    550 5.1.1 <{}>: Recipient address rejected: User unknown\n"
        ).replace("{}", "{0}"),
        status="5.1.1",
        words="User unknown",
        returned="------ This is a copy of the message, including all the headers. ------",
    ),
    "exim, with X-Failed-Recipients alone": Sample(
        sender="Mail Delivery System <Mailer-Daemon@mx.customer.test>",
        subject="Mail delivery failed",
        text="Somebody could not be reached.\n",
        header=f"X-Failed-Recipients: {DEAD}\n",
    ),
    "exim, delayed": Sample(
        sender="Mail Delivery System <Mailer-Daemon@mx.customer.test>",
        subject="Warning: message 1abcde-000000-00 delayed 24 hours",
        text=(
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent has not yet been delivered to one or more of its\n"
            "recipients after more than 24 hours on the queue on mx.customer.test.\n\n"
            "The address to which the message has not yet been delivered is:\n\n"
            "  {}\n    Delay reason: connection timed out\n\n"
            "No action is required on your part. Delivery attempts will continue for\n"
            "some time.\n"
        ),
        action="delayed",
    ),
    "postfix, delayed": Sample(
        sender="Mail Delivery System <MAILER-DAEMON@mx.customer.test>",
        subject="Delayed Mail (still being retried)",
        text=(
            "This is the mail system at host mx.customer.test.\n\n"
            "####################################################################\n"
            "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
            "####################################################################\n\n"
            "Your message could not be delivered for more than 4 hour(s).\n"
            "It will be retried until it is 5 day(s) old.\n\n"
            "<{}>: connect to mx2.customer.test[192.0.2.8]:25:\n    Connection timed out (4.4.1)\n"
        ),
        action="delayed",
        status="4.4.1",
        words="Connection timed out",
    ),
    "postfix": Sample(
        sender="Mail Delivery System <MAILER-DAEMON@mx.customer.test>",
        subject="Undelivered Mail Returned to Sender",
        text=(
            "This is the mail system at host mx.customer.test.\n\n"
            "I'm sorry to have to inform you that your message could not\n"
            "be delivered to one or more recipients. It's attached below.\n\n"
            "For further assistance, please send mail to postmaster.\n\n"
            "<{}>: host box.customer.test[192.0.2.9] said: 552 5.2.2 Mailbox\n"
            "    full (in reply to RCPT TO command)\n"
        ),
        status="5.2.2",
        words="full (in reply to",
    ),
    "sendmail": Sample(
        sender="Mail Delivery Subsystem <MAILER-DAEMON@mx.customer.test>",
        subject="Returned mail: see transcript for details",
        text=(
            "The original message was received at Mon, 4 May 2026 09:00:00 GMT\n\n"
            "   ----- The following addresses had permanent fatal errors -----\n<{}>\n"
            "    (reason: 550 5.1.1 <{}>... User unknown)\n\n"
            "   ----- Transcript of session follows -----\n... while talking to mx:\n"
        ).replace("{}", "{0}"),
        status="5.1.1",
        words="User unknown",
    ),
    "gmail": Sample(
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        subject="Delivery Status Notification (Failure)",
        text=(
            "Delivery to the following recipient failed permanently:\n\n     {}\n\n"
            "Technical details of permanent failure:\nGoogle tried to deliver your message, but it "
            "was rejected by the server\nfor the recipient domain customer.test by mx. The error "
            "that the other server\nreturned was:\n550 5.1.1 The email account that you tried to "
            "reach does not exist.\n"
        ),
        status="5.1.1",
        words="Technical details of permanent failure",
        returned="----- Original message -----",
    ),
    "gmail, address not found": Sample(
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        subject="Delivery Status Notification (Failure)",
        text=(
            "** Address not found **\n\nYour message wasn't delivered to {} because the address\n"
            "couldn't be found, or is unable to receive mail.\n\n"
            "The response from the remote server was:\n550 5.1.1 User doesn't exist\n"
        ),
        status="5.1.1",
    ),
    "yahoo": Sample(
        sender="MAILER-DAEMON@yahoo.com",
        subject="Failure Notice",
        text=(
            "Sorry, we were unable to deliver your message to the following address.\n\n"
            "<{}>:\n554: delivery error: dd This user doesn't have a yahoo.com account\n"
            "(ann@customer.test) [0] - mta1.yahoo.test\n"
        ),
        words="doesn't have a yahoo.com account",
        returned="--- Below this line is a copy of the message.",
    ),
    "domino": Sample(
        sender="Postmaster@customer.test",
        subject="DELIVERY FAILURE: User ann (ann@customer.test) not listed in Domino Directory",
        text=(
            "Your message\n\n  Subject: [#7] Printer\n\nwas not delivered to:\n\n  {}\n\n"
            "because:\n\n  User ann (ann@customer.test) not listed in Domino Directory\n"
        ),
        words="not listed in Domino Directory",
    ),
    "messagelabs": Sample(
        sender="MAILER-DAEMON@messagelabs.test",
        subject="failure notice",
        text=(
            "This is the mail delivery agent at messagelabs.test.\n"
            "I was not able to deliver your message to the following addresses.\n\n"
            "<{}>:\n192.0.2.20 does not like recipient.\n"
            "Remote host said: 550 Invalid recipient\n"
        ),
        words="Invalid recipient",
        returned="--- Below this line is a copy of the message.",
    ),
    "barracuda": Sample(
        sender="Mail Delivery Service <mailer-daemon@gate.customer.test>",
        subject="**Message you sent blocked by our bulk email filter**",
        text=(
            "Your message to: {}\nwas blocked by our Spam Firewall. The email you sent with the "
            "following\nsubject has NOT BEEN DELIVERED:\n\nSubject: [#7] Printer\n"
        ),
        words="blocked by our Spam Firewall",
    ),
    "exchange 2003": Sample(
        sender="System Administrator <postmaster@customer.test>",
        subject="Undeliverable: [#7] Printer",
        text=(
            "Your message did not reach some or all of the intended recipients.\n\n"
            "      Subject:  [#7] Printer\n      Sent:     04/05/2026 09:00\n\n"
            "The following recipient(s) could not be reached:\n\n"
            "      {} on 04/05/2026 09:01\n            The e-mail account does not exist at the "
            "organization this message\n            was sent to.\n            "
            "<mx.customer.test #5.1.1>\n"
        ),
        status="5.1.1",
        words="does not exist at the organization",
    ),
    "outlook, en": outlook(
        "Undeliverable: [#7] Printer",
        "Delivery has failed to these recipients or groups:\n\n{0}\nThe email address you entered "
        "couldn't be found." + _SERVER,
    ),
    "outlook, es": outlook(
        "No se puede entregar: [#7] Printer",
        "Error de entrega a estos destinatarios o grupos:\n\n{0}\nNo se encontró la dirección de "
        "correo que escribió." + _SERVER,
    ),
    "outlook, fr": outlook(
        "Non remis : [#7] Printer",
        "Échec de la remise pour les destinataires ou les groupes suivants :\n\n{0}\nL’adresse de "
        "messagerie que vous avez entrée est introuvable." + _SERVER,
    ),
    "outlook, de": outlook(
        "Unzustellbar: [#7] Printer",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\n{0}\nDie "
        "eingegebene E-Mail-Adresse konnte nicht gefunden werden." + _SERVER,
    ),
    "outlook, it": outlook(
        "Non recapitabile: [#7] Printer",
        "Recapito non riuscito per i seguenti destinatari o gruppi:\n\n{0}\nImpossibile trovare "
        "l’indirizzo di posta elettronica immesso." + _SERVER,
    ),
    "outlook, pt": outlook(
        "Não é possível entregar: [#7] Printer",
        "Falha na entrega para estes destinatários ou grupos:\n\n{0}\nO endereço de email "
        "inserido não foi encontrado." + _SERVER,
    ),
    "exchange, de, of old": outlook(
        "Unzustellbar: [#7] Printer",
        "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\n      Betreff: Printer\n"
        "\nFolgende(r) Empfänger konnte(n) nicht erreicht werden:\n\n      {0} am 4.5.2026 09:01\n"
        "            <mx.customer.test #5.1.1>\n",
    ),
    "outlook 365, fr": outlook(
        "Non remis : [#7] Printer",
        "Votre message à {0} n’a pas pu être remis.\n\nann est introuvable sur customer.test.\n"
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound\n",
        status="5.1.10",
    ),
    "outlook, de, delayed": outlook(
        "Zustellung verzögert: [#7] Printer",
        "Die Zustellung an folgende Empfänger oder Gruppen verzögert sich:\n\n{0}\n",
        action="delayed",
        status="",
    ),
}
