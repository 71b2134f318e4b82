"""`mailgate trust learn`: pins the server that stamps, and only after a forgery has failed (A6)."""

from __future__ import annotations

import json
import os
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailgate.config.pinning import NotWritable, replace_file, with_keys
from mailgate.core.authres import judge
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy, Trust
from mailgate.ops.learning import Attack, NothingToLearn, Pin, attack, forged_probe, learn
from tests.core.samples import NOW
from tests.peers.relay_sink import RelaySink
from tests.shell.cli_rig import Cli

ID = "mx.example.org"
STAMP = f"Authentication-Results: {ID}; dmarc=pass header.from=example.com"
OURS = f"Received: from out.example.com by {ID}; Mon, 4 May 2026 09:30:00 +0000"
INNER = f"Received: from {ID} by inner.example.org; Mon, 4 May 2026 09:30:01 +0000"
THEIRS = "Received: from pc by out.example.com; Mon, 4 May 2026 09:29:00 +0000"
TRUST = Trust(trusted=(ip_network("192.0.2.0/24"),))
PROBE = ("From: ana@example.com", "To: support@example.org")


def mail(*head: str, subject: str = "x") -> bytes:
    """What the admin's mail looks like when our server hands it over."""
    return "\r\n".join((*head, *PROBE, f"Subject: {subject}", "", "Hello", "")).encode()


@pytest.mark.parametrize(
    ("head", "pin"),
    [
        pytest.param((STAMP, OURS, THEIRS), Pin(authserv_id=ID, hops=1, below=False), id="above"),
        pytest.param((OURS, STAMP, THEIRS), Pin(authserv_id=ID, hops=1, below=True), id="below"),
        pytest.param(
            (INNER, STAMP, OURS, THEIRS), Pin(authserv_id=ID, hops=2, below=False), id="two hops"
        ),
        pytest.param(
            (INNER, OURS, STAMP, THEIRS), Pin(authserv_id=ID, hops=2, below=True), id="two, below"
        ),
        pytest.param(
            ("Authentication-Results: inner.example.org; spf=none", STAMP, OURS),
            Pin(authserv_id=ID, hops=1, below=False),
            id="beside another server's",
        ),
    ],
)
def test_what_is_learned_is_what_is_believed(head: tuple[str, ...], pin: Pin) -> None:
    probe = parse(mail(*head))
    assert learn(probe, Envelope(), TRUST) == pin
    policy = Policy(trust=pin.within(TRUST))
    assert judge(probe, Envelope(), policy)[0] is Stamp.ALIGNED


@pytest.mark.parametrize(
    ("head", "peer", "why"),
    [
        pytest.param((OURS, THEIRS), "", "no Authentication-Results header", id="no header"),
        pytest.param((STAMP, OURS), "203.0.113.1", "203.0.113.1", id="from the Internet"),
        pytest.param(
            (f"Authentication-Results: {ID}; spf=pass smtp.mailfrom=example.com", OURS),
            "",
            "spf=pass",
            id="SPF alone (A7)",
        ),
        pytest.param(
            ("Authentication-Results: dmarc=pass header.from=example.com", OURS),
            "",
            "no id",
            id="no id (A7)",
        ),
        pytest.param(
            (f"Authentication-Results: {ID}; spf=pass", STAMP, OURS), "", "last", id="wrong order"
        ),
        pytest.param((OURS, "Return-Path: <x@y.test>", STAMP), "", "others", id="anybody's (A6)"),
        pytest.param(
            (STAMP, OURS, "From: x@evil.test"), "", "single author", id="two authors (A1)"
        ),
    ],
)
def test_what_cannot_be_learned_says_why(head: tuple[str, ...], peer: str, why: str) -> None:
    with pytest.raises(NothingToLearn, match=re.escape(why)):
        learn(parse(mail(*head)), Envelope(peer=peer), TRUST)


PINS = [Pin(authserv_id=ID, hops=hops, below=below) for hops in (1, 2) for below in (False, True)]


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: f"{pin.hops}-{pin.below}")
def test_a_forged_probe_is_told_from_what_our_server_did_with_it_A6(pin: Pin) -> None:
    forged = forged_probe(pin, "ana@example.com", "support@example.org", "c0de", NOW)
    hops = "\n".join([INNER, OURS][-pin.hops :]) + "\n"
    stamp = f"Authentication-Results: {ID}; dmarc=fail header.from=example.com\n"

    def became(text: str) -> Attack:
        return attack(parse(text.encode()), pin, TRUST)

    stamped = hops + stamp if pin.below else stamp + hops
    assert became(stamped + forged) is Attack.IGNORED
    # Where our server wrote none: below, the forged one is the first; above, it still counts not.
    assert became(hops + forged) is (Attack.BELIEVED if pin.below else Attack.IGNORED)
    stripped = re.sub("(?m)^Authentication-Results: .*\n", "", forged)
    assert became(stamped + stripped) is Attack.STRIPPED
    assert became(forged) is Attack.BELIEVED  # a server that adds no Received header


def test_a_pin_with_too_many_hops_is_found_out_A6() -> None:
    pin = Pin(authserv_id=ID, hops=2, below=False)
    forged = forged_probe(pin, "ana@example.com", "support@example.org", "c0de", NOW)
    assert attack(parse(f"{OURS}\n{forged}".encode()), pin, TRUST) is Attack.BELIEVED


# --- the command -------------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def code_of(cli: Cli) -> str:
    done = cli("trust", "learn")
    assert (done.status, done.out) == (1, "")
    found = re.search(r"mailgate probe ([0-9a-f]{8})\n", done.err)
    assert found
    return found[1]


def test_the_whole_way_from_nothing_to_a_pin(cli: Cli) -> None:
    code = code_of(cli)
    assert code_of(cli) == code
    cli.take(mail(STAMP, OURS, THEIRS, subject=f"Re: mailgate  probe {code}"))
    done = cli.ok("trust", "learn")
    assert "not proven yet" in done.out
    assert f'[trust]\nauthserv_id = "{ID}"\nhops = 1\nbelow = false\n' in done.out
    assert cli("trust", "learn", "--write").status == 1
    before = cli.config.read_text()
    assert "authserv_id" not in before

    forged = done.out[done.out.index(f"Authentication-Results: {ID}; x-mailgate-probe") :]
    fail = f"Authentication-Results: {ID}; dmarc=fail header.from=example.com"
    cli.take("\r\n".join((fail, OURS, *forged.splitlines())).encode())
    done = cli.ok("trust", "learn", "--write")
    assert "the forged header is not believed" in done.out
    after = tomllib.loads(cli.config.read_text())
    assert after.pop("trust") == {"authserv_id": ID, "hops": 1, "below": False}
    assert after == tomllib.loads(before)
    assert cli.ok("trust", "learn", "--json").lines == [
        {"authserv_id": ID, "hops": 1, "below": False, "forged": "not believed"}
    ]


def test_a_forgery_that_would_be_believed_is_never_written_A6(cli: Cli, tmp_path: Path) -> None:
    honest, forged = tmp_path / "honest.eml", tmp_path / "forged.eml"
    honest.write_bytes(mail(OURS, STAMP, THEIRS))
    pin = Pin(authserv_id=ID, hops=1, below=True)
    text = forged_probe(pin, "ana@example.com", "support@example.org", "c0de", NOW)
    forged.write_text(f"{OURS}\n{text}")
    done = cli("trust", "learn", str(honest), "--forged", str(forged), "--write")
    assert done.status == 1
    assert "do not pin mx.example.org" in done.err
    assert "authserv_id" not in cli.config.read_text()


def test_strangers_do_not_know_what_a_probe_is_called(cli: Cli) -> None:
    code_of(cli)
    cli.take(mail(STAMP, OURS, subject="mailgate probe 00000000"))
    done = cli("trust", "learn")
    assert (done.status, "no probe has come in" in done.err) == (1, True)


def test_a_probe_that_teaches_nothing_is_shown(cli: Cli) -> None:
    cli.take(mail(OURS, THEIRS, subject=f"mailgate probe {code_of(cli)}"))
    done = cli("trust", "learn")
    assert done.status == 1
    assert "by mx.example.org" in done.out
    assert "no Authentication-Results header" in done.err


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    done = cli("trust", "learn", str(tmp_path / "none.eml"))
    assert (done.status, "No such file" in done.err) == (1, True)


def test_the_forged_probe_goes_through_the_relay(cli: Cli, tmp_path: Path) -> None:
    honest = tmp_path / "honest.eml"
    honest.write_bytes(mail(STAMP, OURS))
    done = cli("trust", "learn", str(honest), "--send", "ana@example.org")
    assert (done.status, "no [[relay]]" in done.err) == (1, True)
    with RelaySink() as sink:
        relay = f'[[relay]]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
        cli.config.write_text(cli.config.read_text() + relay)
        cli.ok("trust", "learn", str(honest), "--send", "ana@example.org")
    [sent] = sink.mails
    assert (sent.mail_from, sent.rcpt_tos) == ("ana@example.org", ("support@example.org",))
    probe = parse(sent.data)
    assert [name for name, _ in probe.trail] == [
        "authentication-results", "received", "authentication-results"
    ]  # fmt: skip
    assert probe.subject.startswith("mailgate forged probe ")


# --- writing -----------------------------------------------------------------------------

PINNED: dict[str, str | int | bool] = {"authserv_id": ID, "hops": 2, "below": True}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 1\n",
        "a = 1",
        '[trust]\nrequire = "strict"  # sure\n[x]\n',
        '[trust] # here\nhops = 7 # of them\n\n  authserv_id="old" # whose\n[[x]]\nhops = 9\n',
        "[trust]\r\nhops = 7\r\n",
        "#[trust]\n#hops = 1\n",
        "[x]\nhops = 1\n[trust]",
        "authserv_id = 'top'\n[ trust ]\nauthserv_id = 'a\"b'\n",
    ],
)
def test_keys_are_set_and_all_else_stays(text: str) -> None:
    changed = with_keys(text, "trust", PINNED)
    old, new = tomllib.loads(text), tomllib.loads(changed)
    assert new.pop("trust") == {**old.pop("trust", {}), **PINNED}
    assert new == old
    for comment in re.findall("#.*", text):
        assert comment in changed
    assert changed.count("\r\n") == (changed.count("\n") if "\r\n" in text else 0)
    assert with_keys(changed, "trust", PINNED) == changed


@pytest.mark.parametrize(
    "text",
    ["trust = {hops = 1}\n", "trust.hops = 1\n", '[trust]\nauthserv_id = """a\nb"""\n',
     'a = """\n[trust]\n"""\n', "[[trust]]\n"],
)  # fmt: skip
def test_what_cannot_be_changed_safely_is_left(text: str) -> None:
    with pytest.raises(NotWritable):
        with_keys(text, "trust", PINNED)


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "config.toml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    replace_file(link, "new\n")
    assert (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink()) == (
        "new\n",
        0o640,
        True,
    )
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "real.toml"]
    with pytest.raises(OSError, match="nowhere"):
        replace_file(tmp_path / "nowhere" / "x", "new")


def test_the_learned_lines_are_json_too(cli: Cli, tmp_path: Path) -> None:
    honest = tmp_path / "honest.eml"
    honest.write_bytes(mail(STAMP, OURS))
    done = cli.ok("--json", "trust", "learn", str(honest))
    assert json.loads(done.out)["forged"] == "not tried"
    assert "x-mailgate-probe" in done.err
