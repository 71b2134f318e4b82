"""HTML of strangers after safe_html: read by a third parser, and opened in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.render import MAX_HTML, PLAIN_OPEN, plain_text, safe_html
from mailgate.render.html import _STYLE, _single_quotes
from tests.shell.html_payloads import LINKS, LOADS, SCRIPTS

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
PAYLOADS = (*SCRIPTS, *LOADS, *(f'<a href="{link}">x</a>' for link in LINKS))


class Reader(HTMLParser):
    """Everything a page asks for, by the standard library's reading of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.others: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


def objections(html: str) -> list[str]:
    """What is in a page that has no business there."""
    page = Reader(html)
    allowed = (
        "a abbr b big blockquote br caption center code col colgroup dd del div dl dt em font h1 h2"
        " h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table"
        " tbody td tfoot th thead tr tt u ul"
    )
    found = [f"<{tag}>" for tag in page.tags - set(allowed.split())] + page.others
    for tag, name, value in page.attributes:
        low = value.lower()
        links = (tag, name) == ("a", "href")
        if links and not low.startswith(("http://", "https://", "mailto:", "tel:")):
            found.append(f"link to {value}")
        if name == "src" and (tag != "img" or not low.startswith("cid:")):
            found.append(f"source {value}")
        if name.startswith("on") or name in {"class", "id", "name", "srcset", "background"}:
            found.append(f"{tag} {name}")
        if name == "style" and any(word in low for word in ("url", "\\", "position", "--", "@")):
            found.append(f"style {value}")
        if ":" in value and not (links or name in {"src", "style", "alt", "title"}):
            found.append(f"{name}={value}")
    return found


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_nothing_dangerous_is_left(payload: str) -> None:
    html = payload.replace("LOAD", "http://evil.example/x").replace("RUN", "alert(1)")
    done = safe_html(html)
    assert objections(done) == []
    assert safe_html(done) == done


FRAGMENTS = st.lists(
    st.sampled_from(PAYLOADS)
    | st.sampled_from([*"<>\"'=/&;!-`", "--", "<!", "]]>", "</style>", "</svg>", "<p ", "style="])
    | st.text(max_size=10),
    max_size=8,
).map("".join)


@given(FRAGMENTS)
def test_nothing_dangerous_is_left_in_any_mixture(html: str) -> None:
    assert objections(safe_html(html)) == []


@pytest.mark.parametrize(
    ("html", "done"),
    [
        ("<p>Hello <b>you</b></p>", "<p>Hello <b>you</b></p>"),
        ('<p style="color: red; position: fixed">x</p>', '<p style="color:red">x</p>'),
        ("<style>p{color:red}</style>hi", "hi"),
        (
            '<p style="font-family:&quot;Segoe UI&quot;,sans-serif;color:red">x</p>',
            '<p style="font-family:&quot;Segoe UI&quot; , sans-serif;color:red">x</p>',
        ),
        (r'<p style="color:\72 ed">x</p>', "<p>x</p>"),
        ("<STYLE type=x>p{}</STYLE >hi<script>1</script>!", "hi!"),
        ("a<!--[if mso]><style>p{}</style><![endif]-->b", "ab"),
        ("<head><title>News</title></head><body>x</body>", "x"),
        ("<styled>x</styled>", "x"),
        ('<img src="cid:logo@x" alt="Logo">', '<img src="cid:logo@x" alt="Logo">'),
        ('<img src="https://t.example/1.gif" alt="Logo">', '<img alt="Logo">'),
        ("half a pair: \ud83d, nul: \0", "half a pair: ?, nul: "),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ('<td colspan="2">x</td>', "x"),
        ("", ""),
    ],
)
def test_what_is_harmless_stays(html: str, done: str) -> None:
    assert safe_html(html) == done


@pytest.mark.parametrize(
    "to", ["http://a.example/?x=1", "https://a.example", "tel:+1", "mailto:a@b"]
)
def test_links_open_elsewhere_and_tell_nothing(to: str) -> None:
    [*attributes] = Reader(safe_html(f'<a href="{to}" onclick="x()">x</a>')).attributes
    assert sorted(attributes) == [
        ("a", "href", to),
        ("a", "rel", "noopener noreferrer nofollow"),
        ("a", "target", "_blank"),
    ]


def test_without_parts_no_picture_has_a_source() -> None:
    assert safe_html('<img src="cid:x" alt="y">', allow_cid=False) == '<img alt="y">'


def test_what_is_too_large_becomes_plain_text() -> None:
    html = "<p>Hello <b>you</b><br>&lt;tag&gt;</p><script>x</script>" + "<p>word</p>" * MAX_HTML
    done = safe_html(html)
    assert done.startswith(f"{PLAIN_OPEN}\nHello you\n&lt;tag&gt;")
    assert done.endswith(" […]</pre>")
    assert "<" not in done.removeprefix(PLAIN_OPEN).removesuffix("</pre>")
    assert len(done) < 6 * MAX_HTML
    assert not safe_html("x" * MAX_HTML).startswith(PLAIN_OPEN)
    assert safe_html("é" * (MAX_HTML // 2 + 1)).startswith(PLAIN_OPEN)


@pytest.mark.parametrize("unit", ["&quot;", 'style="', 'style="&quot;', "<style", "<!--", "&", "<"])
def test_no_pattern_of_ours_is_quadratic(unit: str) -> None:
    """Half a million characters of it would take hours; the timeout of the suite would tell."""
    html = 'style="' + unit * (500_000 // len(unit))
    assert len(plain_text(html)) <= MAX_HTML + 10
    assert _STYLE.sub(_single_quotes, html).count("style") == html.count("style")


def test_a_killable_process_can_be_sent_the_function_by_name() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(safe_html, "<p onclick=x>Hello</p>").result() == "<p>Hello</p>"


@given(st.text(max_size=200) | FRAGMENTS)
def test_plain_text_never_fails(html: str) -> None:
    assert isinstance(plain_text(html), str)


def test_plain_text_reads_what_people_read() -> None:
    html = "<title>T</title><p>a &amp; b</p><!-- no --><ul><li>c<li>d</ul><svg>no</svg> e < f"
    assert plain_text(html).split() == ["a", "&", "b", "c", "d", "e"]


# --- in a browser (H1, H3) -----------------------------------------------------------------------


class Trap(ThreadingHTTPServer):
    """Serves every payload three ways and writes down whoever calls back."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.called: set[str] = set()
        self.served: set[str] = set()

    def payload(self, way: str, number: int) -> str:
        host = f"127.0.0.1:{self.server_port}"
        run = f"new(Image)().src=`http://{host}/ran/{way}/{number}`"
        text = (
            PAYLOADS[number].replace("RUN", run).replace("HOST", f"{host}/loaded/{way}/{number}#")
        )
        text = text.replace("LOAD", f"http://{host}/loaded/{way}/{number}")
        return text if way == "raw" else safe_html(text)

    def page(self, path: str) -> str:
        if path == "/":
            ways = ("raw", "clean", "inner")
            urls = [f"/page/{way}/{n}" for way in ways for n in range(len(PAYLOADS))]
            return "".join(f"<iframe src={url}></iframe>" for url in urls)
        way, _, number = path.removeprefix("/page/").partition("/")
        html = self.payload(way, int(number))
        if way == "inner":
            words = dumps(html).replace("<", "\\u003c")
            html = f"<div id=d></div><script>d.innerHTML={words}</script>"
        return f"<!doctype html><meta charset=utf-8><body>{html}</body>"


class Handler(BaseHTTPRequestHandler):
    """Pages under / and /page/; everything else is somebody calling back."""

    server: Trap

    def do_GET(self) -> None:
        known = re.fullmatch(r"/|/page/\w+/\d+", self.path) is not None
        if known:
            self.server.served.add(self.path)
        elif self.path != "/favicon.ico":
            self.server.called.add(self.path)
        data = self.server.page(self.path).encode("utf-8", "replace") if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: what matters is in `called`."""


@pytest.fixture
def trap() -> Iterator[Trap]:
    with Trap() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.peer
@pytest.mark.skipif(BROWSER is None, reason="needs chromium-headless-shell or chromium")
def test_nothing_runs_and_nothing_is_loaded(trap: Trap, tmp_path: Path) -> None:
    assert BROWSER is not None
    switches = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
        " --disable-background-networking --disable-component-update"
        " --virtual-time-budget=20000 --dump-dom"
    )
    done = subprocess.run(
        [
            BROWSER,
            *switches.split(),
            f"--user-data-dir={tmp_path}",
            f"http://127.0.0.1:{trap.server_port}/",
        ],
        capture_output=True,
        timeout=100,
        check=True,
    )
    assert b"<iframe" in done.stdout
    assert len(trap.served) == 1 + 3 * len(PAYLOADS)
    raw = {path for path in trap.called if "/raw/" in path}
    assert trap.called - raw == set()
    # The trap works: unsafe, the same pages did run and load.
    assert len([path for path in raw if path.startswith("/ran/")]) >= 20
    assert len([path for path in raw if path.startswith("/loaded/")]) >= 20
