"""Which files go along with a notice, and under which name a picture stands in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mailgate.core.people import Agent, Role
from mailgate.core.policy import Policy
from mailgate.core.token import Key, Purpose, Token, holder_of, seal
from mailgate.enclosing import for_agents, for_customers, renamed
from mailgate.surroundings import discreet, unlinked
from mailgate.wire import Part

BOX = "support@example.org"
AGENT = Agent(address="ana@example.org", aliases=("a.torres+x@phone.example",))
POLICY = Policy(agents=(AGENT,), instance="Inst")
KEY = Key(id=1, secret=b"k" * 32, created=datetime(2026, 5, 4, tzinfo=UTC))
TOKEN = Token(
    purpose=Purpose.REPLY,
    role=Role.AGENT,
    key=1,
    last_day=date(2026, 8, 1),
    number=1001,
    holder=holder_of("ana@example.org"),
)
SEALED = seal(TOKEN, KEY)


def file(name: str, octets: int = 3, cid: str = "", kind: str = "image/png") -> Part:
    data = b"x" * octets
    return Part(filename=name, content_type=kind, data=data, inline=bool(cid), content_id=cid)


def names(parts: tuple[Part, ...]) -> list[str]:
    return [part.filename for part in parts]


def test_agents_get_what_fits_and_the_names_of_the_rest() -> None:
    found = for_agents([file("a", 40), file("b", 70), file("c", 60), file("d", 1)], 100)
    assert names(found.parts) == ["a", "c"]
    assert tuple(names(found.missing)) == ("b", "d")


@pytest.mark.parametrize(
    ("html", "page", "kept", "missing"),
    [
        pytest.param(
            '<img src="cid:new">', '<img src="cid:new"><hr><img src="cid:old">', ["n", "f"], (),
            id="the HTML shows which",
        ),
        pytest.param(
            "", '<img src="cid:new"><blockquote><img src="cid:old">', ["n", "f"], ("o",),
            id="shown as text: what stands above the quote",
        ),
        pytest.param("", "", ["n", "o", "f"], (), id="no HTML, no quote to come from"),
    ],
)  # fmt: skip
def test_pictures_of_the_quote_stay_behind_c8(
    html: str, page: str, kept: list[str], missing: tuple[str, ...]
) -> None:
    parts = [file("n", cid="new"), file("o", cid="old"), file("f", kind="application/pdf")]
    found = for_customers(parts, html, page, POLICY, ())
    assert (names(found.parts), tuple(names(found.missing))) == (kept, missing)


@pytest.mark.parametrize(
    ("kind", "data", "leaves"),
    [
        ("application/pgp-signature", b"", False),
        ("application/pkcs7-signature", b"", False),
        ("message/rfc822", b"X-Mailgate-Loop: inst\r\n\r\n", False),
        ("message/rfc822", b"X-Mailgate-Loop: other\r\n\r\n", True),
        ("application/octet-stream", b"x-mailgate-loop: inst", False),
        ("application/vnd.ms-outlook", "X-Mailgate-Loop: inst".encode("utf-16-le"), False),
        ("application/ms-tnef", b"", False),
        ("application/pkcs7-mime", b"", False),
        ("application/pdf", b"ana@example.org", True),
        ("text/vcard", b"EMAIL:ana@example.org", False),
        ("text/vcard", b"EMAIL:rita@example.com", True),
        ("text/calendar", b"ORGANIZER:mailto:Ana@Example.org", False),
        ("text/plain", f"write to <support+{SEALED}@example.org>".encode(), False),
        ("application/octet-stream", SEALED.encode("utf-16"), False),
        ("text/plain", SEALED.swapcase()[:-1].encode(), True),
    ],
)
def test_what_is_not_for_customers_does_not_leave(kind: str, data: bytes, leaves: bool) -> None:
    part = Part(filename="f", content_type=kind, data=data)
    found = for_customers([part], "", "", POLICY, (KEY,))
    assert bool(found.parts) is leaves
    assert found.withheld == (() if leaves or kind.endswith("signature") else ("f",))


def test_a_picture_gets_a_name_of_ours_and_other_files_none() -> None:
    two = [file("a", cid="one@host"), file("b", cid="two@host")]
    parts, html = renamed(two, '<img src="cid:one@host">', "s", "x.test")
    assert parts[0].content_id.endswith("@x.test")
    assert html == f'<img src="cid:{parts[0].content_id}">'
    assert parts[1].content_id == ""


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("ask ana@example.org.", f"ask {BOX}."),
        ("ANA@EXAMPLE.ORG", BOX),
        ("mailto:ana@example.org?x", f"mailto:{BOX}?x"),
        ("u=5%7Cana%40example.org%7C0", "u=5%7Csupport%40example.org%7C0"),
        ("a.torres+x@phone.example", BOX),
        ("juliana@example.org", "juliana@example.org"),
        ("ana@example.org.uk", "ana@example.org.uk"),
        ("ana@example.orgx", "ana@example.orgx"),
        ("bob@example.net", "bob@example.net"),
    ],
)
def test_an_agents_private_address_is_never_said_v4(said: str, sent: str) -> None:
    assert discreet(said, POLICY, BOX) == sent


LINKS = replace(POLICY, files_url="https://help.example.org/file/")


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("see https://help.example.org/file/abc now", "see … now"),
        ("HTTPS://HELP.EXAMPLE.ORG/FILE/ABC", "…"),
        ("(https://help.example.org/file/abc)", "(…)"),
        ("<https://help.example.org/file/abc>", "<…>"),
        ("[v](https://help.example.org/file/abc)", "[v](…)"),
        ("https://safe.example/?url=https%3A%2F%2Fhelp.example.org%2Ffile%2Fabc&x=1 a", "… a"),
        ("https://s.example/?u=https%253A%252F%252Fhelp.example.org%252Ffile%252Fabc", "…"),
        ('<a href="https://help.example.org/file/abc" title="x">v</a>', '<a title="x">v</a>'),
        (
            '<a href="https://s.example/?u=https%3a%2f%2fhelp.example.org%2ffile%2f">v</a>',
            "<a>v</a>",
        ),
        ('<a href="https://help.example.org/">v</a>', '<a href="https://help.example.org/">v</a>'),
        ("https://help.example.org/files", "https://help.example.org/files"),
    ],
)
def test_customers_get_no_links_to_files(said: str, sent: str) -> None:
    assert unlinked(said, LINKS) == sent
    assert unlinked(said, POLICY) == said


def test_a_file_with_an_agents_link_in_it_is_withheld() -> None:
    sealed = seal(replace(TOKEN, purpose=Purpose.FILE, nonce=b"digest"), KEY)
    for before in (
        "https://help.example.org/file/",
        "u=https%3A%2F%2Fh.example%2Ffile%2F",
        "%252F",
    ):
        assert is_withheld(f"{before}{sealed}&x=1".encode())
    assert not is_withheld(sealed.translate(str.maketrans("a2", "2a")).encode())


def is_withheld(data: bytes) -> bool:
    part = Part(filename="log.txt", content_type="text/plain", data=data)
    return for_customers([part], "", "", POLICY, (KEY,)).withheld == ("log.txt",)


def test_nobody_to_be_discreet_about() -> None:
    assert discreet("ana@example.org", Policy(), BOX) == "ana@example.org"
