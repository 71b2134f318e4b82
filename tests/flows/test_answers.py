"""An agent presses Reply: what the customer gets of it, and what stays at home."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailgate.core.mail import Address
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.private import copies, leaks
from tests.flows.rig import House

RITA, CARL, ANA = "rita@customer.example", "carl@customer.example", "ana@example.org"
PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
Open = Callable[..., House]


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def opened(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[Open]:
    """A house with more configuration, in which Rita has asked and Carl reads along."""
    houses = []

    def open_(config: str = "") -> House:
        house = House(sqlite_database, parsers, tmp_path, config=config)
        houses.append(house)
        house.deliver(mail(RITA, "Rita Vega", "The lamp <blinks>.\n\nRita", cc=CARL))
        house.settle()
        return house

    yield open_
    for house in houses:
        house.close()


def mail(sender: str, name: str, text: str, *, cc: str = "", more: str = "") -> bytes:
    """A mail of text alone."""
    copied = f"Cc: {cc}\n" if cc else ""
    head = f"From: {name} <{sender}>\nTo: support@example.org\nSubject: Lamp\n{copied}{more}"
    return (
        (f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}\n")
        .replace("\n", "\r\n")
        .encode()
    )


def part(kind: str, data: str, *headers: str) -> str:
    return "\n".join((f"Content-Type: {kind}", *headers, "", data, ""))


def dressed(house: House, text: str, html: str, *files: str, sender: str = ANA) -> None:
    """An answer with HTML and files, as clients nest them."""
    words = (
        part("text/plain; charset=utf-8", text) + "--a\n" + part("text/html; charset=utf-8", html)
    )
    inner = part('multipart/alternative; boundary="a"', f"--a\n{words}--a--")
    whole = "".join(f"--r\n{one}" for one in (inner, *files))
    head = (
        f"From: Ana Private <{sender}>\nTo: {house.last(ANA).reply_to}\nSubject: Re: Lamp\n"
        f"In-Reply-To: {house.last_notice(ANA)}\nX-Originating-IP: [10.9.8.7]\n"
        "User-Agent: Private Client 7\nMIME-Version: 1.0\n"
        'Content-Type: multipart/related; boundary="r"\n\n'
    )
    house.deliver(
        f"{head}{whole}--r--\n".replace("\n", "\r\n").encode(), rcpt=[house.last(ANA).reply_to]
    )
    house.settle()


def picture(name: str, cid: str) -> str:
    """A picture that the HTML may show."""
    return part(
        f'image/png; name="{name}"',
        PNG,
        f'Content-Disposition: inline; filename="{name}"',
        f"Content-ID: <{cid}>",
        "Content-Transfer-Encoding: base64",
    )


def page(message: EmailMessage) -> str:
    """The HTML of a mail."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def words(message: EmailMessage) -> str:
    """The text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def files(message: EmailMessage) -> list[tuple[str | None, str]]:
    """(name, disposition) of all parts that are files."""
    return [
        (one.get_filename(), str(one.get_content_disposition()))
        for one in message.walk()
        if one.get_filename()
    ]


QUOTE = (
    '<div class="gmail_quote"><div class="gmail_attr">On Mon, Support wrote:</div><blockquote>'
    '##- Please write your answer above this line -##<br>The lamp<img src="cid:theirs">'
    "<a href='mailto:ana@example.org'>Priority: secret-fact</a></blockquote></div>"
)
TEXT_QUOTE = (
    "\n\nOn Mon, Support wrote:\n> ##- Please write your answer above this line -##\n> The lamp\n"
)


def test_formatting_and_pictures_stay_and_the_notice_goes_c8(opened: Open) -> None:
    house = opened()
    dressed(
        house,
        "Hello *Rita*,\n\nlike this: [image: lamp.png]" + TEXT_QUOTE,
        '<div dir="ltr">Hello <b>Rita</b>,<br><br>like this:'
        ' <img src="cid:ii_1@private.host" alt="lamp"></div>' + QUOTE,
        picture("lamp.png", "ii_1@private.host"),
        picture("theirs.png", "theirs"),
    )
    answer = house.last(RITA).mail
    html = page(answer)
    assert "Hello <b>Rita</b>" in html
    assert "secret-fact" not in html
    assert files(answer) == [("lamp.png", "inline")]
    shown = next(one for one in answer.walk() if one.get_filename() == "lamp.png")
    own = str(shown["Content-ID"]).strip("<>")
    assert own.startswith("mg.")
    assert f'src="cid:{own}"' in html
    assert "private.host" not in house.last(RITA).raw.decode()
    assert leaks(house.database, house.desk.policy) == []


def test_html_that_says_more_than_the_text_is_not_sent_c8(opened: Open) -> None:
    house = opened()
    html = "<p>Hello <b>Rita</b></p><p>Priority: secret-fact</p>" + QUOTE
    dressed(
        house, "Hello Rita" + TEXT_QUOTE, html.replace("<p>Priority", "<p hidden>x<span>Priority")
    )
    assert "<b>Rita</b>" in page(house.last(RITA).mail)
    dressed(house, "Hello again" + TEXT_QUOTE, "<p>Hello <b>x</b> again</p>" + QUOTE)
    again = page(house.last(RITA).mail)
    assert "Hello again" in again
    assert "<b>" not in again
    assert leaks(house.database, house.desk.policy) == []


def test_an_agents_address_becomes_the_mailboxs_v4(opened: Open) -> None:
    house = opened()
    link = "https://check.example/?url=https%3A%2F%2Fx.example&data=05%7C01%7Cana%40example.org%7C0"
    html = f'<p>See <a href="{link.replace("&", "&amp;")}">this</a> or ask Ana@Example.org.</p>'
    dressed(house, f"See this<{link}> or ask Ana@Example.org.", html)
    answer = house.last(RITA)
    assert "support%40example.org" in page(answer.mail)
    assert "ask support@example.org." in page(answer.mail)
    assert "ask support@example.org." in words(answer.mail)
    assert leaks(house.database, house.desk.policy) == []


def test_the_customers_last_words_stand_below_and_no_address_of_an_agent(opened: Open) -> None:
    house = opened()
    dressed(house, "Which lamp?", "<p>Which lamp?</p>")
    said = words(house.last(RITA).mail).replace("\r\n", "\n")
    assert said.endswith("On 2026-05-04 09:00, Rita Vega wrote:\n> The lamp <blinks>.\n>\n> Rita\n")
    html = page(house.last(RITA).mail)
    assert "The lamp &lt;blinks&gt;.<br>" in html
    assert html.index("Which lamp?") < html.index("<blockquote")


def test_a_long_message_is_quoted_in_part_or_not_at_all(opened: Open) -> None:
    house = opened(
        '[agents]\nquote_lines = 1\n[helpdesk]\ndomain = "example.org"\ntimezone = "Asia/Tokyo"\n'
    )
    dressed(house, "Which lamp?", "<p>Which lamp?</p>")
    said = words(house.last(RITA).mail).replace("\r\n", "\n")
    assert said.endswith("On 2026-05-04 18:00, Rita Vega wrote:\n> The lamp <blinks>.\n> […]\n")


def test_no_quote_at_all(opened: Open) -> None:
    house = opened("[agents]\nquote_lines = 0\n")
    dressed(house, "Which lamp?", "<p>Which lamp?</p>")
    assert "wrote:" not in words(house.last(RITA).mail)
    assert "<blockquote" not in page(house.last(RITA).mail)


def test_who_comes_later_does_not_get_what_was_said_before_v1(opened: Open) -> None:
    house = opened()
    with house.database.transaction() as tx:
        late = Address(addr="dora@new.example")
        now = house.now + timedelta(minutes=5)
        assert tx.tickets.add_participant(1001, late, ANA, now)
    dressed(house, "Which lamp?", "<p>Which lamp?</p>")
    for address in (RITA, CARL, "dora@new.example"):
        assert "blinks" not in words(house.last(address).mail)


@pytest.mark.parametrize(
    ("policy", "sender", "signature"),
    [
        ("name", "Ana Torres (Support)", "Ana Torres\nSupport"),
        ("first", "Ana (Support)", "Ana\nSupport"),
        ("team", "Support", "Support"),
    ],
)
def test_customers_see_of_an_agent_what_the_desk_allows(
    opened: Open, policy: str, sender: str, signature: str
) -> None:
    house = opened(f'[agents]\nshow_name = "{policy}"\nquote_lines = 0\n')
    dressed(house, "Which lamp?", "<p>Which lamp?</p>")
    answer = house.last(RITA).mail
    assert answer["From"].addresses[0].display_name == sender
    assert f"Which lamp?\n\n{signature}\n\n" in words(answer).replace("\r\n", "\n")
    if policy == "team":
        assert "Ana" not in house.last(RITA).raw.decode()


def test_agents_see_pictures_where_they_stand_and_files_that_fit(opened: Open) -> None:
    house = opened(
        '[agents]\nattachments_max = 100\n[helpdesk]\ndomain = "example.org"\npublic_url = "https://help.example"\n'
    )
    big = part("text/plain", "x" * 200, "Content-Disposition: attachment; filename=big.txt")
    html = '<p>It looks <i>so</i>: <img src="cid:c1"></p>'
    dressed(house, "It looks so:", html, picture("so.png", "c1"), big, sender=RITA)
    notice = house.last(ANA).mail
    assert files(notice) == [("so.png", "inline")]
    assert "It looks <i>so</i>:" in page(notice)
    assert "Not attached: big.txt (1 kB)\r\nhttps://help.example/file/" in words(notice)
    assert files(house.last(CARL).mail) == [
        ("so.png", "inline"),
        ("big.txt", "attachment"),
    ]


def test_a_leak_would_be_found(opened: Open) -> None:
    house = opened()
    with house.database.reading() as tx:
        agents = next(copy for copy in copies(tx) if copy.role == "agent")
    with house.database.transaction() as tx:
        row = next(r for r in tx.outbox.list() if r.notice == "agent-new")
        tx.conn.exec_driver_sql(
            "UPDATE outbox_recipients SET role = 'cc' WHERE outbox = ?", (row.id,)
        )
    found = "\n".join(leaks(house.database, house.desk.policy))
    assert agents.address == ANA
    assert "an agent's address: ana@example.org" in found
    assert "of agents' notices: ##-" in found
