"""The pages over a real socket: what they say, what they never say, and that they only read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.web import make_app
from store.database import Database
from tests.web_rig import CANARY, NOON, STARTED, InThread, Site, fill, open_ticket, served

PATHS = ("/", "/status.json", "/healthz", "/readyz", "/metrics")


@pytest.fixture
def site(sqlite_database: Database) -> Iterator[Site]:
    """A calm day behind a real server."""
    with served(sqlite_database) as running:
        fill(running)
        yield running


def visible(page: str) -> str:
    """The words of a page, one space between them."""
    body = page[page.index("<body>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_the_page_tells_what_waits_and_how_the_day_went(site: Site) -> None:
    answer = site.ask("/")
    words = visible(answer.text)
    assert answer.code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for said in (
        "Example Support ✓ All well",
        "Inbox 1 oldest waits 1 min",
        "Outbox 1 oldest waits 2 min",
        "Quarantine 0 empty",
        "Taken today 4 1 not settled yet",
        "By status new 1 open 2 waiting 1 closed 1",
        "By priority urgent 1 high 1 normal 2 low 1",
        "reply 2 ticket 1",
        "imap support/INBOX working 3 min ago",
        "#1005 closed low",
        "#1001 new normal support 6 days",
        "Up for 3 days.",
    ):
        assert said in words


def test_no_private_word_is_on_any_page(site: Site) -> None:
    journal.refused(source="smtp", why=f"<{CANARY}@example.com> is unknown")
    for path in PATHS:
        answer = site.ask(path)
        assert answer.code == 200
        assert CANARY not in answer.text, path
        assert "example.com" not in answer.text, path
        assert all(CANARY not in value for value in answer.headers.values())
    assert any(CANARY in line for line in site.dump())


def test_names_are_escaped_and_no_script_or_remote_thing_is_in_the_page(site: Site) -> None:
    page = site.ask("/").text
    assert "&lt;b&gt;shop&lt;/b&gt;" in page
    assert "<b>" not in page
    for word in ("<script", "<img", "<iframe", "http://", "https://", "url(", "style="):
        assert word not in page, word
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) == {"healthz", "status.json", "metrics"}


def test_every_answer_carries_the_strict_headers(site: Site) -> None:
    page = site.ask("/")
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    asked = [site.ask(path) for path in (*PATHS, "/nowhere", "/healthz/")]
    for answer in (page, site.ask("/", "POST"), *asked):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "server" not in answer.headers


def test_head_is_get_without_the_body(site: Site) -> None:
    for path in PATHS:
        got, head = site.ask(path), site.ask(path, "HEAD")
        assert (head.code, head.body) == (got.code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]


def test_other_methods_are_405(site: Site) -> None:
    for path in PATHS:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            answer = site.ask(path, method)
            assert answer.code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_anything_else_is_a_plain_404_whatever_the_host_header_says(site: Site) -> None:
    for path in ("/nowhere", "/healthz/", "//", "/../etc/passwd", "/style.css", "/%00"):
        answer = site.ask(path, Host="evil.example.net")
        assert answer.code == 404, path
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "location" not in answer.headers
        assert "evil" not in answer.text


def test_reading_changes_nothing(site: Site) -> None:
    before = site.dump()
    for path in (*PATHS, "/nowhere"):
        for method in ("GET", "HEAD", "POST"):
            site.ask(path, method)
    assert site.dump() == before


def test_the_page_shows_what_changed_since(site: Site) -> None:
    assert "6 tickets" not in site.ask("/").text
    with site.database.transaction() as tx:
        open_ticket(tx, NOON)
    assert "6 tickets" in site.ask("/").text


def test_the_numbers_are_the_same_on_each_engine(database: Database) -> None:
    with served(database) as site:
        fill(site)
        found = json.loads(site.ask("/status.json").body)
    assert found["status"] == "ok"
    assert found["inbox"] == {"waiting": 1, "oldest_seconds": 60}
    assert found["outbox"] == {"waiting": 1, "oldest_seconds": 120, "failed": 0}
    assert found["tickets"]["total"] == 5
    assert found["tickets"]["queue"] == {"support": 3, "<b>shop</b>": 1, "billing": 1}
    assert found["today"] == {
        "day": "2026-03-04",
        "accepted": 4,
        "waiting": 1,
        "outcomes": {"reply": 2, "ticket": 1},
    }
    assert [set(ticket) for ticket in found["recent"]] == 5 * [
        {"number", "status", "priority", "queue", "age_seconds"}
    ]


def test_an_empty_installation_has_a_page(sqlite_database: Database) -> None:
    with served(sqlite_database) as site:
        words = visible(site.ask("/").text)
    for said in ("All well", "nothing waits", "No tickets yet", "No source has reported yet"):
        assert said in words


def test_an_outage_of_the_database_is_a_page_and_no_traceback(site: Site) -> None:
    site.database.close()
    site.file.parent.rename(site.file.parent.with_name("gone"))
    page = site.ask("/")
    assert page.code == 503
    assert "Out of order" in page.text
    assert "The database cannot be reached." in page.text
    for path in ("/healthz", "/readyz", "/status.json"):
        answer = site.ask(path)
        assert answer.code == 503
        assert answer.text == '{"status":"degraded","problems":["The database cannot be reached."]}'
    for path in PATHS:
        assert "sqlite" not in site.ask(path).text, path
    site.file.parent.with_name("gone").rename(site.file.parent)
    assert site.ask("/").code == 200


def test_a_broken_template_of_the_operator_shows_nothing_of_itself(
    sqlite_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "status.html.j2").write_text("{{ secret_name }}")
    app = make_app(sqlite_database, name="x", started=STARTED, template_dirs=[tmp_path])
    before = journal.COUNTS["trouble", "web"]
    with InThread(app) as server:
        site = Site(sqlite_database, server.port)
        answer = site.ask("/")
        assert answer.code == 500
        assert answer.text == "Internal error; the journal of mailgate says more.\n"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert site.ask("/healthz").code == 200
    assert journal.COUNTS["trouble", "web"] == before + 1


def test_an_operator_may_bring_a_style_sheet(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text('a::before { content: "<&" }')
    app = make_app(sqlite_database, name="<i>x</i>", started=STARTED, template_dirs=[tmp_path])
    with InThread(app) as server:
        answer = Site(sqlite_database, server.port).ask("/")
    assert '<style>a::before { content: "<&" }</style>' in answer.text
    assert "&lt;i&gt;x&lt;/i&gt;" in answer.text
    digest = base64.b64encode(hashlib.sha256(b'a::before { content: "<&" }').digest()).decode()
    assert digest in answer.headers["content-security-policy"]
