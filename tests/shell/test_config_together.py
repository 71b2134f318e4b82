"""Several mistakes at once, files that others may read, and files that are no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.config import ConfigError, load
from tests.shell.config_rig import HEAD, IMAP, RELAY, SMTP, mistakes


def test_mistakes_of_both_files_come_at_once_in_file_order(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "rules:\n  - when: {subjct: a}\n    then: {priority: hgh, assign: eve@example.org}\n"
    )
    text = HEAD + 'aliasses = []\n[[smtp]]\nlisten = 25\n[[imap]]\nhost = "h"\nport = 0\n'
    assert mistakes(tmp_path, text) == [
        "config.toml:7: [agent.0].aliasses: is no key that mailgate knows; did you mean 'aliases'?",
        'config.toml:9: [smtp.0].listen: is not host:port; write one like "127.0.0.1:2525" '
        'or "[::1]:2525"',
        'config.toml:10: [imap.0].username: is missing; write username = "support"',
        "config.toml:12: [imap.0].port: is out of range; write at least 1",
        "rules.yaml:2:12: rules.0.when.subjct: is no key that mailgate knows; "
        "did you mean 'subject'?",
        "rules.yaml:3:22: rules.0.then.priority: there is no priority 'hgh'; did you mean 'high'?",
        "rules.yaml:3:35: rules.0.then.assign: eve@example.org is not an agent; "
        "did you mean 'ana@example.org'?",
    ]


def test_a_refused_section_is_not_missed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - then: {assign: bob@example.org}\n")
    text = HEAD + '[[agent]]\naddress = "bob@example.org"\nlead = 1\n[[mailbox]]\naddress = "b"\n'
    text += IMAP + 'password = "x"\nmailbox = "b@example.org"\n'
    text += '[tickets.groups]\nbilling = ["bob@example.org"]\n'
    assert mistakes(tmp_path, text) == [
        "config.toml:9: [agent.1].lead: is neither true nor false; "
        "write true or false, without quotes",
        "config.toml:11: [mailbox.1].address: 'b' is not a mail address; "
        'write one like "support@example.org"',
    ]


def test_lines_count_through_what_was_left_out(tmp_path: Path) -> None:
    broken = SMTP.replace('"127.0.0.1:2525"', "0")
    second = SMTP + 'tls_key = "none.pem"\ntls_cert = "none.pem"\n'
    assert mistakes(tmp_path, HEAD + broken + second)[1:] == [
        "config.toml:11: [smtp.1].tls_key: there is no file none.pem; create it or mend the path",
        "config.toml:12: [smtp.1].tls_cert: there is no file none.pem; create it or mend the path",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param(HEAD + IMAP + 'password_file = "secret"\n', "[imap.0].password_file"),
        pytest.param(HEAD + RELAY + 'username = "u"\npassword_file = "secret"\n', "[relay.0]"),
        pytest.param(HEAD + SMTP + 'tls_cert = "secret"\ntls_key = "secret"\n', "[smtp.0].tls_key"),
        pytest.param(HEAD + SMTP + 'auth = "secret"\n', "[smtp.0].auth"),
        pytest.param(
            HEAD + IMAP + '[imap.oauth2]\ntoken_command = ["x"]\nclient_secret_file = "secret"\n',
            "[imap.0.oauth2].client_secret_file",
        ),
        pytest.param(
            HEAD + IMAP + '[imap.oauth2]\ntoken_command = ["x"]\nrefresh_token_file = "secret"\n',
            "[imap.0.oauth2].refresh_token_file",
        ),
    ],
)
def test_a_secret_that_everybody_may_read_is_refused(text: str, key: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("# none\n")
    secret.chmod(0o644)
    (said,) = mistakes(tmp_path, text)
    assert key in said
    assert said.endswith("anybody on this machine may read secret; run `chmod o-rwx secret`")
    secret.chmod(0o640)
    load(tmp_path / "config.toml")


def test_a_users_file_is_checked_line_by_line(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("# agents\n\nana@example.org:hunter2\n")
    users.chmod(0o600)
    assert mistakes(tmp_path, HEAD + SMTP + 'auth = "users"\n') == [
        'users:3: is not login:hash; write "login:scrypt$..."'
    ]


def test_logins_need_tls_beyond_this_machine(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("")
    users.chmod(0o600)
    text = HEAD + SMTP.replace("127.0.0.1", "[::]") + 'auth = "users"\n'
    assert mistakes(tmp_path, text) == [
        "config.toml:9: [smtp.0].auth: passwords would cross the network in the clear; "
        "write tls_cert and tls_key"
    ]


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    for path, said in [
        (tmp_path / "none.toml", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
    ]:
        with pytest.raises(ConfigError, match=said):
            load(path)
    (tmp_path / "latin.toml").write_bytes(b'[helpdesk]\nname = "Caf\xe9"\n')
    with pytest.raises(ConfigError, match="is not UTF-8 \\(octet 22\\); save it as UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[helpdesk]\ndomain = "a..b"\n', "[helpdesk].domain: 'a..b' is not a domain"),
        (HEAD + 'name = "\\u0007"\n', "[agent.0].name: holds a control character"),
        (HEAD + 'queues = [" "]\n', "[agent.0].queues.0: is empty"),
        (HEAD + RELAY + 'ca_file = ""\n', "[relay.0].ca_file: is empty"),
        (HEAD + RELAY + 'ca_file = "\\u0000"\n', "[relay.0].ca_file: holds a control character"),
        (HEAD + RELAY + "ca_file = 1\n", "[relay.0].ca_file: is not a path"),
        (HEAD + RELAY + 'password = "x"\n', "[relay.0].password: there is no username for it"),
        (HEAD + SMTP + "auth = 1\n", "[smtp.0].auth: is neither a list nor a file"),
        (HEAD + "[limits]\nmax_size = 0\n", "[limits].max_size: is out of range; write at least 1"),
        (HEAD + '[tickets]\npriorities = ["normal", "normal"]\n', "'normal' stands twice"),
        (HEAD + '[tickets.groups]\n"a@b" = []\n', "[tickets.groups].a@b: is no name for a group"),
        (HEAD + "x = " + "[" * 5000 + "]" * 5000, "config.toml: is nested too deep"),
        (
            HEAD + "[tickets]\nautoclose_days = 1\n[tickets.transitions]\n"
            'new = ["waiting"]\nopen = ["waiting"]\nwaiting = ["open"]\nresolved = ["open"]\n'
            'closed = ["open"]\n',
            "'resolved' may not become 'closed', but does when autoclose_days are over",
        ),
        (
            HEAD + IMAP + '[imap.oauth2]\ntoken_command = ["t"]\ntoken_url = "https://a.test"\n',
            "[imap.0.oauth2].token_url: token_command and token_url are both set",
        ),
        (
            HEAD + IMAP + '[imap.oauth2]\nclient_id = "c"\nclient_secret = "x"\n'
            'token_url = "https://[a"\n',
            "[imap.0.oauth2].token_url: a secret would cross the network in the clear",
        ),
    ],
)
def test_rarer_mistakes(text: str, said: str, tmp_path: Path) -> None:
    assert said in "\n".join(mistakes(tmp_path, text))


def test_a_users_file_that_is_no_text(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_bytes(b"\xff")
    users.chmod(0o600)
    assert mistakes(tmp_path, HEAD + SMTP + 'auth = "users"\n') == [
        "config.toml:9: [smtp.0].auth: users is not UTF-8; save it as UTF-8"
    ]
