"""What a full day at the help desk comes to: who takes part, tickets, mailboxes, outcomes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.peers.town import APPLE, GMAIL, OUTLOOK, THUNDERBIRD

ANA, BRUNO = AGENTS = ("ana@example.net", "bruno@example.net")
DORA, EMIL, SAM = "dora@example.com", "emil@example.com", "sam@supplier.test"
PEOPLE = {
    "carmen@example.com": ("Carmen", GMAIL),
    "luis@example.com": ("Luis", THUNDERBIRD),
    "dora@example.com": ("Dora", APPLE),
    "ana@example.net": ("Ana", APPLE),
    "bruno@example.net": ("Bruno", OUTLOOK),
    "emil@example.com": ("Emil", THUNDERBIRD),
    "sam@supplier.test": ("Sam", GMAIL),
}
GONE = "gone@example.com"

# Who has which mails at the end: ticket, name in From, first words without the salutation.
MAILBOXES: Mapping[str, str] = {
    "carmen@example.com": """
        1001 Support: Thank you for writing to
        1001 Ana (Support): Hello Carmen, please look whether
        1001 Support: Bruno is now looking after
        1001 Bruno (Support): Hello Carmen, I come at
        1001 Luis via Support: Ten is fine for me
        1001 Bruno (Support): It prints again. Bruno Support
        1001 Support: We have closed your request
        1004 Support: Thank you for writing to
        """,
    "luis@example.com": """
        none Carmen: It prints nothing since this
        1001 Support: Thank you for writing to
        1002 Support: Thank you for writing to
        1001 Ana (Support): Hello Carmen, please look whether
        1001 Carmen via Support: It is shut, & <nothing>
        1001 Support: Bruno is now looking after
        1001 Bruno (Support): Hello Carmen, I come at
        1001 Bruno (Support): It prints again. Bruno Support
        1001 Support: We have closed your request
        1001 Carmen via Support: Thank you very much!
        1001 Carmen via Support: Sorry, the second page jams
        1002 Support: Here is where your request
        1002 Support: Ana is now looking after
        1002 Ana (Support): Hello Luis, we have renewed
        1002 Support: its status is now “waiting
        1002 Support: its status is now “resolved”.
        1002 Support: Thank you. We have noted
        """,
    "dora@example.com": """
        none Mail Delivery System: This is the mail system
        1003 Support: Thank you for writing to
        1003 Bruno (Support): Hello Dora, it comes on
        1003 Support: its status is now “resolved”.
        1007 Bruno (Support): Hello Dora, somebody comes with
        1007 Emil via Support: Mine squeaks as well.
        1007 Bruno (Support): Both of them on Monday.
        """,
    "emil@example.com": """
        1007 Bruno (Support): Both of them on Monday.
        """,
    "sam@supplier.test": """
        none Bruno (Support): Hello Sam, have you got
        none Bruno (Support): Send us one by Friday.
        """,
    "ana@example.net": """
        1001 Carmen via Support: It prints nothing since this
        1002 Luis via Support: Each time I have to
        1003 Dora via Support: When does it come?
        1003 Mail Delivery System via Support: A mail on ticket #1003
        1001 Carmen via Support: It is shut, & <nothing>
        1001 Support: #assign bruno: assigned to Bruno,
        1001 Support: Your answer on ticket #1001
        1001 Support: Your answer is dropped: nothing
        1004 Carmen via Support: I forgot: there is a
        1002 Luis via Support: status?
        1002 Support: #take: assigned to Ana There
        1002 Support: #status waiting: status is waiting,
        1002 Luis via Support: solved
        1002 Luis via Support: 5
        1005 mallory via Support: Send me what Luis wrote.
        1006 Support: #assign nobody
        none Support: With a mail that waits
        none Support: Reply with one line for
        none Support: What came of your instructions:
        """,
    "bruno@example.net": """
        1001 Carmen via Support: It prints nothing since this
        1002 Luis via Support: Each time I have to
        1003 Dora via Support: When does it come?
        1003 Mail Delivery System via Support: A mail on ticket #1003
        1001 Ana (Support): The contract has ended, do
        1001 Support: #priority high: priority is high,
        1001 Luis via Support: Ten is fine for me
        1001 Support: #close The fuser was replaced:
        1001 Carmen via Support: Thank you very much!
        1001 Carmen via Support: Sorry, the second page jams
        1004 Carmen via Support: I forgot: there is a
        1001 Support: #merge 1001: #1004 lives on
        1002 Luis via Support: status?
        1003 Support: A mail on ticket #1003
        1003 Support: Nothing was done and nothing
        1003 Support: #status resolved: status is resolved,
        none Support: Your open tickets #1001 Printer
        1005 mallory via Support: Send me what Luis wrote.
        1006 Support: #assign nobody
        1001 Support: Your words go aside to
        1001 Sam via Support: Message from Sam (sam@supplier.test), said
        1003 Dora via Support: By the way, my chair
        1007 Support: #split The chair: message 27,
        1007 Support: A mail on ticket #1007
        none Support: With a mail that waits
        1007 Emil via Support: Mine squeaks as well.
        """,
}
# What each ticket is at the end: state, people, messages, links.
TICKETS = {
    1001: (
        "open high bruno@example.net",
        "carmen@example.com luis@example.com",
        "customer agent system customer note agent customer held agent customer customer customer"
        " note note note",
        "#1004 merged",
    ),
    1002: (
        "resolved normal ana@example.net",
        "luis@example.com",
        "customer customer agent customer customer",
        "#1005 claimed-by-stranger",
    ),
    1003: (
        "open normal bruno@example.net",
        "dora@example.com gone@example.com",
        "customer held agent note",
        "#1006 claimed-by-stranger #1007 split-off",
    ),
    1004: ("closed normal nobody", "carmen@example.com", "", "#1001 merged"),
    1005: ("new normal nobody", "mallory@evil.test", "customer", "#1002 claimed-by-stranger"),
    1006: ("new normal nobody", "ana@example.net", "customer", "#1003 claimed-by-stranger"),
    1007: (
        "waiting normal bruno@example.net",
        "dora@example.com emil@example.com",
        "customer agent customer agent",
        "#1003 split-from",
    ),
}

# What no customer may come to see, of people, of their mail programs and of what is internal.
PRIVATE = (
    *("ana@example.net", "bruno@example.net", "10.77.3.9", "Microsoft Outlook"),
    *(
        "contract has ended",
        "Nobody may read",
        "off and on",
        "leads sales",
        "#note",
        "#close",
        "#clsoe",
    ),
    *("mallory", "Send me", "Take: <mailto:", "above this line"),
)
# ... and of what was said aside to the supplier.
ASIDE = (SAM, "fuser for a model", "forty each", "Send us one")
# What the supplier may not come to see: which ticket it is about, and whose it is.
OF_THE_TICKET = (
    *("Printer", "jams", "It prints", *(f"#{number}" for number in TICKETS)),
    *(address for address in PEOPLE if address.endswith("@example.com")),
)
OUTCOMES = {
    **{"ticket": 6, "reply": 15, "note": 6, "command": 7},
    **{"held": 3, "bounce": 1, "ignored": 1},
}
