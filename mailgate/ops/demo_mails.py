"""The mails of the demo, as clients and servers really write them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

QUEUE = "support@example.org"
CARMEN = "Carmen Ruiz <carmen@example.com>"
LUIS = "Luis Ortega <luis@example.com>"
ANA = "Ana <ana@example.org>"
PETER = "Peter Novak <peter@example.net>"

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8cfc0f01f000501017f5a0f5f4d0000000049454e44ae426082"
)


def _mail(sender: str, subject: str, name: str, to: str = QUEUE) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{name}@{sender.rpartition('@')[2].strip('>')}>"
    return mail


def _answering(mail: EmailMessage, parent: str) -> EmailMessage:
    mail["In-Reply-To"] = parent
    mail["References"] = parent
    return mail


def request(run: str) -> bytes:
    """A new request in Spanish, with a file and a colleague in CC."""
    mail = _mail(CARMEN, "No puedo descargar mi factura", f"request.{run}")
    mail["Cc"] = LUIS
    mail.set_content(
        "Hola:\n\nDesde esta mañana no puedo descargar la factura de octubre. La página dice "
        "que ha ocurrido un error. Les adjunto una captura de pantalla.\n\n"
        "¿Me pueden ayudar, por favor?\n\nGracias y un saludo\nCarmen\n"
    )
    mail.add_attachment(_PNG, maintype="image", subtype="png", filename="captura año.png")
    return bytes(mail)


def by_token(run: str, number: int) -> bytes:
    """An answer from a client that keeps nothing but the subject."""
    mail = _mail(CARMEN, f"RE: [#{number}] No puedo descargar mi factura", f"token.{run}")
    mail.set_content("Perdón, me olvidé de decirlo: es la factura 2026-1017.\n\nCarmen\n")
    return bytes(mail)


def by_reference(run: str, parent: str) -> bytes:
    """An answer by the colleague in CC, whose client has changed the subject."""
    mail = _answering(_mail(LUIS, "Sobre la factura", f"reference.{run}"), parent)
    mail.set_content(
        "A mí me pasa lo mismo.\n\nLuis\n\n"
        "El 22/11/2026 a las 10:00, Support escribió:\n> Hemos recibido su mensaje.\n"
    )
    return bytes(mail)


def html_only(run: str) -> bytes:
    """A mail that has no plain text, with a script that must go nowhere."""
    mail = _mail(PETER, "Where is my order?", f"html.{run}")
    mail.set_content(
        "<html><body><p>Hello,</p><p>I ordered <b>two weeks ago</b> and have heard nothing "
        "since. Can you please check <i>order 4711</i>?</p><script>alert(1)</script>"
        "<p>Thank you<br>Peter</p></body></html>",
        subtype="html",
    )
    return bytes(mail)


def out_of_office(run: str, parent: str) -> bytes:
    """A machine's answer to our confirmation."""
    mail = _answering(_mail(LUIS, "Fuera de la oficina: vuelvo el lunes", f"away.{run}"), parent)
    mail["Auto-Submitted"] = "auto-replied"
    mail.set_content("Estoy fuera de la oficina hasta el lunes.\n")
    return bytes(mail)


def bounce(run: str, parent: str) -> bytes:
    """A delivery report (RFC 3464): the colleague's mailbox is full."""
    boundary = f"=_{run}"
    return (
        "From: Mail Delivery System <mailer-daemon@example.com>\r\n"
        f"To: {QUEUE}\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\n"
        f"Message-ID: <bounce.{run}@example.com>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f' boundary="{boundary}"\r\n'
        "\r\n"
        f"--{boundary}\r\n"
        "Content-Type: text/plain\r\n"
        "\r\n"
        "Your mail could not be delivered: the mailbox is full.\r\n"
        f"--{boundary}\r\n"
        "Content-Type: message/delivery-status\r\n"
        "\r\n"
        "Reporting-MTA: dns; mx.example.com\r\n"
        "\r\n"
        "Final-Recipient: rfc822; luis@example.com\r\n"
        "Action: failed\r\n"
        "Status: 5.2.2\r\n"
        "Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n"
        "\r\n"
        f"--{boundary}\r\n"
        "Content-Type: text/rfc822-headers\r\n"
        "\r\n"
        f"Message-ID: {parent}\r\n"
        "\r\n"
        f"--{boundary}--\r\n"
    ).encode()


def agent_answer(run: str, parent: str, number: int) -> bytes:
    """The agent presses Reply on the notice she got."""
    subject = f"Re: [#{number}] No puedo descargar mi factura"
    mail = _answering(_mail(ANA, subject, f"answer.{run}"), parent)
    mail.set_content(
        "Hola, Carmen:\n\nYa está arreglado: puede descargar la factura de nuevo.\n\nAna\n"
    )
    return bytes(mail)
