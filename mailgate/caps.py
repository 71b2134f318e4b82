"""[gate] as one value: how much mail a machine may send, to whom, and whom to tell of trouble."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CC_UNPROVEN = 3  # CC people who get a confirmation where no sender can be proven


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many mails may leave; 0 is no cap. A mail to three people counts three times."""

    # automatic mail to people who are no agents
    per_address_hour: int = 3  # set off by an incoming mail
    per_address_day: int = 10
    changes_hour: int = 30  # to one address, set off by an agent's change
    per_ticket_hour: int = 40
    per_kind_hour: int = 0  # of one notice, such as the confirmation
    per_domain_hour: int = 100  # to one domain, set off by senders who are not proven
    total_hour: int = 500
    # copies of participants' words
    copies_hour: int = 60  # to one address on one ticket: more is no conversation, it is a loop
    copies_day: int = 200
    copies_total_hour: int = 500  # to all addresses together
    # notices to agents
    agent_hour: int = 120
    agent_ticket_hour: int = 30
    alerts_hour: int = 5  # to one address
    # the storm breaker
    storm_mails: int = 200  # more automatic mails than this to people who are no agents ...
    storm_minutes: int = 10  # ... within this time ...
    pause_minutes: int = 60  # ... and none leaves for so long
    confirm_cc: bool = True
    provable: bool = False  # something on this site can prove a sender
    ops: tuple[str, ...] = ()  # addresses that alerts go to
