"""Mail out: due copies of the outbox, one SMTP transaction each, through the first relay up.

`sender` holds the loop, `copies` its transactions, `route` a relay with its circuit breaker, pace
and idle connections, `session` one SMTP connection (the only door to aiosmtplib).
"""

from mailgate.mailer.sender import Mailer, Timing
from mailgate.mailer.session import RelaySettings, RouteDown, Tls, send_once

__all__ = ["Mailer", "RelaySettings", "RouteDown", "Timing", "Tls", "send_once"]
