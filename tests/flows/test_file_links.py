"""A file too large for a notice, fetched by the link in it: by its agent, and nobody else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from mailgate.core import token
from mailgate.core.policy import FILES, Policy
from mailgate.core.token import Purpose, Sealed
from mailgate.fetching import Fetcher
from mailgate.parsing import Parsers
from mailgate.web import make_app
from store.database import Database
from store.schema import blobs
from tests.flows.private import leaks
from tests.flows.rig import START, House
from tests.web_rig import Answer, InThread, Site

RITA, ANA, BEN = "rita@customer.example", "ana@example.org", "ben@example.org"
URL = f"https://help.example.org{FILES}"
CONFIG = (
    '[helpdesk]\ndomain = "example.org"\nname = "Example"\ndata_dir = "data"\n'
    'rules = "rules.yaml"\npublic_url = "https://help.example.org"\n'
    "[agents]\nattachments_max = 1000\n"
)
DATA = bytes(range(256)) * 40
NAME = "video.mp4"
_LINK = re.compile(rf"{re.escape(URL)}([a-z2-7]{{56}})(?![a-z0-9])")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
Open = Callable[..., House]


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def opened(database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[Open]:
    """A house with more configuration, to which Rita has sent a file."""
    houses = []

    def open_(config: str = CONFIG, *, name: str = f'"{NAME}"', box: str = "support") -> House:
        house = House(database, parsers, tmp_path, config=config)
        houses.append(house)
        house.deliver(with_file(name), rcpt=[f"{box}@example.org"])
        house.settle()
        return house

    yield open_
    for house in houses:
        house.close()


def with_file(name: str = f'"{NAME}"', data: bytes = DATA, kind: str = "video/mp4") -> bytes:
    """A mail with words and a file; `name` is the parameter as it is written."""
    body = b64encode(data).decode()
    lines = "\n".join(body[at : at + 76] for at in range(0, len(body), 76))
    text = (
        f"From: Rita Vega <{RITA}>\nTo: support@example.org\nSubject: Lamp\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="r"\n\n--r\nContent-Type: text/plain\n\n'
        f"See how it blinks.\n--r\nContent-Type: {kind}\n"
        f"Content-Disposition: attachment; filename={name}\n"
        f"Content-Transfer-Encoding: base64\n\n{lines}\n--r--\n"
    )
    return text.replace("\n", "\r\n").encode()


def words(house: House, who: str = ANA) -> str:
    body = house.last(who).mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def page(house: House, who: str = ANA) -> str:
    body = house.last(who).mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def link(house: House, who: str = ANA) -> str:
    """The token of the link in somebody's last mail."""
    found = _LINK.search(words(house, who))
    assert found is not None
    return found[1]


@dataclass(frozen=True)
class Web:
    """The pages of a house, and how to ask them for a file."""

    site: Site

    def get(self, text: str, method: str = "GET") -> Answer:
        return self.site.ask(f"{FILES}{text}", method)


@contextmanager
def web(
    house: House, policy: Policy | None = None, parsers: Parsers | None = None
) -> Iterator[Web]:
    fetcher = Fetcher(
        database=house.database,
        parsers=parsers or house.worker.parsers,
        policy=policy or house.desk.policy,
        clock=lambda: house.now,
    )
    app = make_app(house.database, name="Example", started=START).with_files(fetcher)
    with InThread(app) as server:
        yield Web(Site(house.database, server.port))


def without_ana(policy: Policy) -> Policy:
    return replace(policy, agents=tuple(a for a in policy.agents if a.address != ANA))


def test_the_notice_has_name_size_and_link_and_the_link_has_the_file(opened: Open) -> None:
    house = opened()
    said, text = words(house), link(house)
    assert f"Not attached: {NAME} (10 kB)\n{URL}{text}\n" in said
    assert f'<a href="{URL}{text}"' in page(house)
    with web(house) as pages:
        for method, body in (("GET", DATA), ("HEAD", b"")):
            answer = pages.get(text, method)
            assert (answer.code, answer.body) == (200, body)
            assert {name: answer.headers[name] for name in WANTED} == WANTED
        assert pages.get(text, "POST").code == 405


WANTED = {
    "content-type": "application/octet-stream",
    "content-length": str(len(DATA)),
    "content-disposition": f"attachment; filename=\"{NAME}\"; filename*=UTF-8''{NAME}",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "referrer-policy": "no-referrer",
}


def test_links_are_each_agents_own_and_for_so_long_as_tokens_are(opened: Open) -> None:
    house = opened(box="sales")
    with house.database.reading() as tx:
        keys = tx.keys.all()
    made = {who: sealed(link(house, who)) for who in (ANA, BEN)}
    for who, one in made.items():
        assert one.token.purpose is Purpose.FILE
        assert one.token.holder == token.holder_of(who)
        assert one.token.last_day == token.valid_through(house.now, 30)
        assert token.fault(one, keys, house.now) == ""
    assert len(keys) == 1
    assert keys[0].secret != b""
    assert made[ANA].text != made[BEN].text


def sealed(text: str) -> Sealed:
    found = token.in_link(text)
    assert found is not None
    return found


def test_every_refusal_is_the_same_page(opened: Open) -> None:
    house = opened()
    good = link(house)
    reply = house.last(ANA).reply_to.partition("+")[2].partition("@")[0]
    in_id = house.last(ANA).message_id[4:60]
    wrong = [
        *("", "x", "a" * 56, good[:-1], f"{good}a", f"{good}/", f"{good}/x", f"x/{good}"),
        *("..%2f..%2fetc%2fpasswd", "%00", "%ff%fe", "%c3%9f" * 20, "a" * 5000, reply, in_id),
        *(
            f"{good[:at]}{ALPHABET[ALPHABET.index(good[at]) ^ 1]}{good[at + 1 :]}"
            for at in range(56)
        ),
    ]
    assert token.open_(in_id) is not None
    with web(house) as pages:
        refused = pages.get(wrong[0])
        for text in wrong:
            answer = pages.get(text)
            assert (text, answer.code, answer.body) == (text, 404, refused.body)
            assert answer.headers.keys() == refused.headers.keys()
        assert pages.get(good.upper()).body == DATA  # a client may fold the case
    assert "There is no file here" in refused.text
    assert "refresh" not in refused.text


def refused(answer: Answer) -> bool:
    return answer.code == 404 and "There is no file here" in answer.text


def test_an_expired_link_leads_nowhere(opened: Open) -> None:
    house = opened()
    text = link(house)
    with web(house) as pages:
        house.now = START + timedelta(days=30)
        assert pages.get(text).code == 200
        house.now = START + timedelta(days=31)
        assert refused(pages.get(text))


def test_e4_keys_are_rotated_and_revoked(opened: Open) -> None:
    house = opened()
    text = link(house)
    with web(house) as pages:
        with house.database.transaction() as tx:
            tx.keys.rotate(house.now, timedelta(days=2))
        assert pages.get(text).code == 200
        house.now += timedelta(days=3)
        assert refused(pages.get(text))
        house.now = START
        with house.database.transaction() as tx:
            tx.keys.revoke_all(house.now)
        assert refused(pages.get(text))


def test_tokens_that_were_called_back_open_no_file(opened: Open) -> None:
    house = opened()
    text = link(house)
    with web(house) as pages:
        with house.database.transaction() as tx:
            tx.tickets.revoke_tokens(1001, BEN)
        assert pages.get(text).code == 200
        with house.database.transaction() as tx:
            tx.tickets.revoke_tokens(1001, ANA)
        assert refused(pages.get(text))


def test_who_is_no_agent_any_more_gets_nothing(opened: Open) -> None:
    house = opened()
    text = link(house)
    with web(house, without_ana(house.desk.policy)) as pages:
        assert refused(pages.get(text))


def test_an_agent_whose_address_became_an_alias_still_gets_it(opened: Open) -> None:
    house = opened()
    text, policy = link(house), house.desk.policy
    renamed = tuple(
        replace(a, address="new@example.org", aliases=(ANA,)) if a.address == ANA else a
        for a in policy.agents
    )
    with web(house, replace(policy, agents=renamed)) as pages:
        assert pages.get(text).code == 200


def test_queues_are_walls_at_the_click_too(opened: Open) -> None:
    house = opened(box="sales")
    text = link(house, BEN)
    with web(house) as pages:
        assert pages.get(text).code == 200
        house.change(1001, {"queue": "support"})
        assert refused(pages.get(text))
        with house.database.transaction() as tx:  # given to him, whatever his queues
            tx.tickets.set_field(1001, "assignee", BEN, house.now)
        assert pages.get(text).code == 200


def test_what_is_gone_is_gone(opened: Open, tmp_path: Path) -> None:
    house = opened()
    text = link(house)
    with web(house) as pages:
        with house.database.transaction() as tx:
            tx.conn.execute(blobs.update().values(data=b"x"))
        assert refused(pages.get(text))
        with house.database.transaction() as tx:
            tx.conn.execute(blobs.update().values(data=None))
        assert refused(pages.get(text))
        with house.database.transaction() as tx:
            tx.conn.exec_driver_sql("DELETE FROM attachments")
        assert refused(pages.get(text))


def test_another_part_in_its_place_is_not_the_file(opened: Open) -> None:
    house = opened()
    with house.database.transaction() as tx:
        tx.conn.exec_driver_sql("UPDATE attachments SET part = part - 1")
    with web(house) as pages:
        assert refused(pages.get(link(house)))
    with house.database.transaction() as tx:
        tx.conn.exec_driver_sql("UPDATE attachments SET part = 77")
    with web(house) as pages:
        assert refused(pages.get(link(house)))


@pytest.mark.parametrize(
    ("written", "plain", "name"),
    [
        ('"a \\"quoted\\" one.pdf"', "a _quoted_ one.pdf", "a _quoted_ one.pdf"),
        ('"a\\r\\nSet-Cookie: x=1.pdf"', None, None),
        ('"../../etc/passwd"', "passwd", "passwd"),
        ('"C:\\\\temp\\\\evil.exe"', "evil.exe", "evil.exe"),
        ("utf-8''R%C3%A9sum%C3%A9%0D%0AX%3A%20y.pdf", None, None),
        ('"=?utf-8?B?0J7RgtGH0ZHRgi5wZGY=?="', "_____.pdf", "Отчёт.pdf"),
        ('"page.html"', "page.html", "page.html"),
        ('"semi;colon%41.txt"', "semi_colon_41.txt", "semi;colon%41.txt"),
    ],
)
def test_a_strangers_file_name_is_harmless(
    opened: Open, written: str, plain: str | None, name: str | None
) -> None:
    star = "filename*" if written.startswith("utf-8''") else "filename"
    house = opened(name=written) if star == "filename" else opened(name=f"x; filename*={written}")
    with web(house) as pages:
        answer = pages.get(link(house))
    assert answer.body == DATA
    assert "set-cookie" not in answer.headers
    assert "x" not in answer.headers
    said = answer.headers["content-disposition"]
    found = re.fullmatch(r"attachment; filename=\"([\w. ()-]+)\"; filename\*=UTF-8''([!-~]+)", said)
    assert found is not None
    if name:
        assert (found[1], unquote(found[2])) == (plain, name)
    assert not set(unquote(found[2])) & set('\r\n"\\/')


def test_html_is_bytes_like_any_other(opened: Open, database: Database) -> None:
    house = opened()
    data = b"<script>alert(1)</script>" * 100
    house.deliver(with_file('"page.html"', data, "text/html"))
    house.settle()
    with web(house) as pages:
        answer = pages.get(link(house))
    assert answer.body == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_without_pages_the_notice_says_who_has_the_file(opened: Open) -> None:
    house = opened(CONFIG.replace('public_url = "https://help.example.org"\n', ""))
    said = words(house)
    asked = "ask the people who run this desk: `mailgate raw 1` gives the whole mail"
    assert f"Not attached: {NAME} (10 kB)\n{asked}\n" in said
    assert asked in page(house)
    assert FILES not in said + page(house)


def test_pages_that_are_off_are_not_linked_to(opened: Open) -> None:
    house = opened(f'{CONFIG}[web]\nlisten = ""\n')
    assert "`mailgate raw 1`" in words(house)
    assert FILES not in words(house) + page(house)


def test_only_agents_read_of_links(opened: Open) -> None:
    house = opened()
    house.deliver(
        (
            f"From: Ana <{ANA}>\r\nTo: {house.last(ANA).reply_to}\r\nSubject: Re: Lamp\r\n"
            f"In-Reply-To: {house.last_notice(ANA)}\r\n\r\nWhich lamp?\r\n"
        ).encode(),
        rcpt=[house.last(ANA).reply_to],
    )
    house.settle()
    assert "Which lamp?" in words(house, RITA)
    assert leaks(house.database, house.desk.policy) == []


def test_fetching_changes_nothing(opened: Open) -> None:
    house = opened()
    text = link(house)

    def rows() -> list[object]:
        tables = ("inbox", "tickets", "messages", "events", "outbox", "keys", "attachments")
        with house.database.reading() as tx:
            return [tx.conn.exec_driver_sql(f"SELECT * FROM {t}").all() for t in tables]  # noqa: S608

    before = rows()
    with web(house) as pages:
        assert [pages.get(text, method).code for method in ("HEAD", "GET", "GET")] == [200] * 3
        refused(pages.get("x"))
    assert rows() == before
