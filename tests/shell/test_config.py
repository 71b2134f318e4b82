"""A configuration that can be used: defaults, paths, secrets, and the policy made from it."""

from __future__ import annotations

import shutil
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from mailgate.config import (
    Config,
    ConfigError,
    Endpoint,
    find,
    load,
    load_rules,
    policy,
    template_languages,
    warnings,
)
from mailgate.core.ticket import TRANSITIONS
from mailgate.resources import resource
from mailgate.sources.passwords import hash_password, verify
from tests.shell.config_rig import HEAD, IMAP, RELAY, SMTP


def loaded(folder: Path, text: str) -> Config:
    """The configuration that stands in `text`."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_little_is_needed(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[helpdesk]\ndomain="B.test"\n[[mailbox]]\naddress="a@B.test"\n')
    assert config.helpdesk.domain == "b.test"
    assert config.helpdesk.data_dir == tmp_path / "data"
    assert config.helpdesk.rules is None
    assert config.database_url() == f"sqlite:///{tmp_path}/data/mailgate.db"
    assert config.mailbox[0].address == "a@b.test"
    assert config.web.listen == Endpoint("127.0.0.1", 8025)
    assert (config.limits.max_size, config.limits.recipients) == (25 * 1024 * 1024, 100)
    assert (config.gate.per_address_hour, config.gate.per_address_day) == (3, 10)


@pytest.mark.parametrize(
    "address", ["x@server.local", "a@localhost", "a@b.test", "o'neil+x@b.test", "jörg@bücher.test"]
)
def test_addresses_that_are_good_enough(address: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, HEAD.replace("support@example.org", address))
    assert config.mailbox[0].address == address.replace("bücher", "xn--bcher-kva")


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.test", "a@", "a b@c.test", "a@b@c.test", "a@-b.test", "a@b..test", "a,b@c.test"],
)
def test_addresses_that_are_none(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a mail address"):
        loaded(tmp_path, HEAD.replace("support@example.org", address))


def test_paths_start_at_the_file_wherever_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "rules.yaml").write_text("# none\n")
    (tmp_path / "etc" / "mine" / "mail").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    text = HEAD.replace("[[mailbox]]", 'templates = "mine"\ndata_dir = "../var"\n[[mailbox]]')
    Path("etc/config.toml").write_text(text)
    config = load(Path("etc/config.toml"))
    assert config.helpdesk.rules == tmp_path / "etc" / "rules.yaml"
    assert config.helpdesk.data_dir.resolve() == tmp_path / "var"
    assert config.helpdesk.templates == tmp_path / "etc" / "mine"


def test_systemd_says_where_data_and_credentials_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "creds").mkdir()
    secret = tmp_path / "creds" / "imap.password"
    secret.write_text("from systemd\n")
    secret.chmod(0o400)
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/state:{tmp_path}/other")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", f"{tmp_path}/creds")
    config = loaded(tmp_path, HEAD + IMAP + 'password_file = "imap.password"\n')
    assert config.helpdesk.data_dir == tmp_path / "state"
    assert config.imap[0].secret() == "from systemd"


def test_secrets_are_read_late_and_lose_the_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "p"
    secret.write_text("one \n")
    secret.chmod(0o600)
    monkeypatch.setenv("RELAY_SECRET", "three")
    login = 'username = "u"\npassword_env = "RELAY_SECRET"\n'
    oauth2 = '[imap.oauth2]\ntoken_url = "http://127.0.0.1:9/t"\nclient_id = "c"\n'
    oauth2 += 'refresh_token_file = "p"\n'
    accounts = IMAP + 'password_file = "p"\n' + IMAP.replace("support", "sales") + oauth2
    config = loaded(tmp_path, HEAD + accounts + RELAY + login)
    assert config.imap[0].secret() == "one "
    secret.write_text("two\r\n")
    assert config.imap[0].secret() == "two"
    token = config.imap[1].oauth2
    assert token is not None
    assert (token.secret(), token.refresh_token()) == ("", "two")
    assert config.relay[0].secret() == "three"
    secret.unlink()
    with pytest.raises(ConfigError, match="p: No such file or directory"):
        config.imap[0].secret()
    monkeypatch.delenv("RELAY_SECRET")
    with pytest.raises(ConfigError, match="environment: RELAY_SECRET is not set"):
        config.relay[0].secret()


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    hidden = "hunter2"
    stored = hash_password(hidden)
    text = HEAD + SMTP + f'auth = ["ana@example.org:{stored}"]\n'
    text += IMAP + f'password = "{hidden}"\n'
    text += RELAY + f'username = "u"\npassword = "{hidden}"\n'
    text += f'[database]\nurl = "postgresql+psycopg://u:{hidden}@db/x"\n'
    text += "[gate]\n"
    config = loaded(tmp_path, text)
    assert config.relay[0].secret() == hidden
    assert config.database_url().count(hidden) == 1
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    assert hidden not in shown
    assert stored not in shown
    # A mistake beside a secret, or in it, does not show it either.
    broken = text.replace("[gate]", "[gte]").replace("postgresql+psycopg", "oracle")
    broken = broken.replace(f'password = "{hidden}"', f'password = ["{hidden}"]')
    broken = broken.replace(stored, stored[:-1])
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, broken)
    assert len(refused.value.problems) == 5
    said = "".join(traceback.format_exception(refused.value)) + repr(refused.value.problems)
    assert hidden not in said
    assert stored[:-1] not in said


def test_logins_from_list_and_file(tmp_path: Path) -> None:
    entry = f"Ana@example.org:{hash_password('pw')}"
    users = tmp_path / "users"
    users.write_text(f"# agents\n\n {entry}\n")
    users.chmod(0o600)
    for auth in (f'["{entry}"]', '"users"'):
        config = loaded(tmp_path, HEAD + SMTP + f"auth = {auth}\n")
        logins = config.smtp[0].logins()
        assert verify("pw", logins["Ana@example.org"])


def test_listeners_and_servers_have_sensible_ports(tmp_path: Path) -> None:
    smtp = '[[smtp]]\nlisten = "[::1]:0"\ntrusted = ["10.1.2.3", "fd00::/8"]\nprotocol = "lmtp"\n'
    imap = IMAP + 'password = "x"\ntls = "starttls"\n'
    relays = RELAY + '[[relay]]\nhost = "localhost"\n' + RELAY + 'tls = "implicit"\nport = 4650\n'
    config = loaded(tmp_path, HEAD + smtp + imap + relays + '[web]\nlisten = ""\n')
    assert (str(config.smtp[0].listen), config.smtp[0].listen.loopback) == ("[::1]:0", True)
    assert [str(network) for network in config.smtp[0].trusted] == ["10.1.2.3/32", "fd00::/8"]
    assert config.imap[0].port == 143
    assert [(r.tls, r.port) for r in config.relay] == [
        ("starttls", 587),
        ("none", 25),
        ("implicit", 4650),
    ]
    assert config.web.listen is None


@pytest.mark.parametrize("written", ["", "Help@example.org", "Sales desk", "support@example.org"])
def test_an_account_finds_its_mailbox(written: str, tmp_path: Path) -> None:
    head = HEAD.replace(
        "[[agent]]", 'name = "Sales desk"\naliases = ["help@example.org"]\n[[agent]]'
    )
    config = loaded(tmp_path, head + IMAP + f'password = "x"\nmailbox = "{written}"\n')
    assert config.imap[0].mailbox == "support@example.org"
    assert config.imap[0].label == "support/INBOX"


def test_with_two_mailboxes_an_account_must_say_which(tmp_path: Path) -> None:
    second = '[[mailbox]]\naddress = "sales@example.org"\n'
    with pytest.raises(ConfigError, match="which mailbox is this mail for"):
        loaded(tmp_path, HEAD + second + IMAP + 'password = "x"\n')


def test_find_follows_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAILGATE_CONFIG", raising=False)
    monkeypatch.setattr("mailgate.config.reading.SYSTEM_WIDE", tmp_path / "etc.toml")
    with pytest.raises(ConfigError, match="mailgate init"):
        find(None)
    (tmp_path / "etc.toml").write_text(HEAD)
    assert find(None) == tmp_path / "etc.toml"
    (tmp_path / "config.toml").write_text(HEAD)
    assert find(None) == Path("config.toml")
    monkeypatch.setenv("MAILGATE_CONFIG", "/env.toml")
    assert find(None) == Path("/env.toml")
    assert find("mine.toml") == Path("mine.toml")


def test_a_configuration_never_changes(tmp_path: Path) -> None:
    config = loaded(tmp_path, HEAD)
    with pytest.raises(ValidationError):
        config.helpdesk.domain = "other.test"  # type: ignore[misc]


def test_policy_has_what_decisions_need(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - {name: x, then: {assign: billing}}\n")
    text = HEAD.replace("[[mailbox]]", 'name = "Help"\nlanguage = "es"\n[[mailbox]]')
    text = text.replace("[[agent]]", 'queue = "help"\n[[agent]]\nqueues = ["help"]\nlead = true')
    text += '[tickets]\nreopen_days = 3\nautoclose_days = 5\ncategories = ["a"]\n'
    text += '[tickets.groups]\nbilling = ["ana@example.org"]\n[limits]\nmax_cc = 4\n'
    config = loaded(tmp_path, text)
    rules = load_rules(config.helpdesk.rules, config)
    made = policy(config, rules, ("en", "es"), "id-1")
    assert (made.name, made.domain, made.language) == ("Help", "example.org", "es")
    assert (made.instance, made.languages) == ("id-1", ("en", "es"))
    box, agent = made.mailboxes[0], made.agents[0]
    assert (box.name, box.queue, box.language) == ("Help", "help", "es")
    assert (agent.queues, agent.lead) == (("help",), True)
    assert (made.groups, made.categories) == ({"billing": ("ana@example.org",)}, ("a",))
    assert (made.reopen_within, made.autoclose_after) == (timedelta(days=3), timedelta(days=5))
    assert (made.max_cc, made.rules, made.life.transitions) == (4, rules, TRANSITIONS)


def test_statuses_of_ones_own_may_change_freely(tmp_path: Path) -> None:
    text = HEAD + '[tickets]\nstatuses = ["new", "open", "done"]\npending = "open"\n'
    text += 'resolved = "done"\nclosed = "done"\n'
    life = policy(loaded(tmp_path, text), (), ("en",), "").life
    assert life.may("new", "done")
    assert life.may("done", "open")
    assert not life.may("open", "closed")


def test_an_address_of_pages_that_are_off_is_warned_of(tmp_path: Path) -> None:
    text = HEAD.replace("[[mailbox]]", 'public_url = "https://help.example.org"\n[[mailbox]]', 1)
    path = tmp_path / "config.toml"
    served = loaded(tmp_path, text + RELAY)
    assert policy(served, (), ("en",), "").files_url == "https://help.example.org/file/"
    assert warnings(path, served) == ()
    off = loaded(tmp_path, f'{text}{RELAY}\n[web]\nlisten = ""\n')
    assert policy(off, (), ("en",), "").files_url == ""
    (only,) = warnings(path, off)
    assert only.key == "[helpdesk].public_url"
    assert "no links to large files" in only.message
    assert policy(loaded(tmp_path, HEAD + RELAY), (), ("en",), "").files_url == ""


def test_warnings_name_what_works_but_should_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    config = loaded(tmp_path, HEAD.partition("[[agent]]")[0] + IMAP + 'password = "x"\n')
    path.chmod(0o644)
    assert [w.message for w in warnings(path, config)] == [
        "holds a password and anybody on this machine may read it",
        "no mail can leave",
        "nobody answers tickets",
    ]
    login = 'tls = "none"\nusername = "u"\npassword = "x"\n'
    config = loaded(tmp_path, HEAD + RELAY + login)
    path.chmod(0o600)
    (only,) = warnings(path, config)
    assert only.message == "the password crosses the network in the clear"
    assert warnings(path, loaded(tmp_path, HEAD + RELAY)) == ()


def test_a_digest_without_anybody_on_duty_is_warned_of(tmp_path: Path) -> None:
    path, text = tmp_path / "config.toml", HEAD + RELAY + '[agents]\ndigest = "08:00"\n'
    (only,) = warnings(path, loaded(tmp_path, text))
    assert only.message == "nobody is told in the morning what is held or in quarantine"
    named = loaded(tmp_path, text + 'duty = ["ANA@example.org"]\n')
    assert warnings(path, named) == ()
    assert [a.address for a in policy(named, (), ("en",), "").on_duty] == ["ana@example.org"]
    lead = text.replace("[[agent]]", "[[agent]]\nlead = true")
    assert warnings(path, loaded(tmp_path, lead)) == ()


def test_a_language_of_ones_own_counts_when_it_is_whole(tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "mail" / "tlh"
    shutil.copytree(resource("templates") / "mail" / "en", mine)
    text = HEAD.replace("[[mailbox]]", 'templates = "mine"\nlanguage = "tlh"\n[[mailbox]]')
    assert "tlh" in template_languages(loaded(tmp_path, text))
    (mine / "answer.txt.j2").unlink()
    with pytest.raises(ConfigError, match="there are no templates for 'tlh'"):
        loaded(tmp_path, text)
