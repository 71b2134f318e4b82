"""A configuration that cannot be used is refused with file, line, key and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.resources import resource
from tests.shell.config_rig import HEAD, IMAP, RELAY, SMTP, mistakes

LANGUAGES = ", ".join(sorted(d.name for d in (resource("templates") / "mail").glob("*/")))

# After HEAD the next line is line 7.
BROKEN = [
    pytest.param(
        "[helpdesk]\ndomain = example.org\n",
        "config.toml:2:10: is not TOML: Invalid value; "
        "text stands in quotes, a list in [ ], one key = value a line",
        id="no quotes",
    ),
    pytest.param(
        '[helpdesk]\ndomain = "example.org\n',
        "config.toml:2:22: is not TOML: Illegal character '\\n'; "
        "text stands in quotes, a list in [ ], one key = value a line",
        id="open quote",
    ),
    pytest.param(
        HEAD + '[helpdesk]\nname = "B"\n',
        "config.toml:7:10: is not TOML: Cannot declare ('helpdesk',) twice; "
        "text stands in quotes, a list in [ ], one key = value a line",
        id="section twice",
    ),
    pytest.param(
        '[[mailbox]]\naddress = "support@example.org"\n',
        'config.toml:1: [helpdesk]: is missing; write [helpdesk] with domain = "example.org"',
        id="section missing",
    ),
    pytest.param(
        '[helpdesk]\nname = "B"\n[[mailbox]]\naddress = "support@example.org"\n',
        'config.toml:1: [helpdesk].domain: is missing; write domain = "example.org"',
        id="key missing",
    ),
    pytest.param(
        HEAD + 'addres = "x@example.org"\n',
        "config.toml:7: [agent.0].addres: is no key that mailgate knows; did you mean 'address'?",
        id="key misspelt",
    ),
    pytest.param(
        HEAD + "[limit]\nmax_cc = 3\n",
        "config.toml:7: [limit]: is no key that mailgate knows; did you mean 'limits'?",
        id="section misspelt",
    ),
    pytest.param(
        HEAD + '[relay]\nhost = "relay.example.org"\n',
        "config.toml:7: [relay]: is written as one section, but there may be several; "
        "write [[relay]]",
        id="one bracket too few",
    ),
    pytest.param(
        HEAD + '[[web]]\nlisten = "127.0.0.1:80"\n',
        "config.toml:7: [web]: is not a section; write [web], with one bracket",
        id="one bracket too many",
    ),
    pytest.param(
        '[helpdesk]\ndomain = "example.org"\n',
        "config.toml: there is no mailbox to receive mail for; "
        'write [[mailbox]] with address = "support@example.org"',
        id="no mailbox",
    ),
    pytest.param(
        HEAD + '[[mailbox]]\naddress = ""\n',
        "config.toml:8: [mailbox.1].address: '' is not a mail address; "
        'write one like "support@example.org"',
        id="empty address",
    ),
    pytest.param(
        HEAD + '[[mailbox]]\naddress = "Sales <sales@example.org>"\n',
        "config.toml:8: [mailbox.1].address: 'Sales <sales@example.org>' is not a mail address; "
        'write one like "support@example.org"',
        id="address with a name",
    ),
    pytest.param(
        HEAD + '[[mailbox]]\naddress = "b@example.org"\naliases = ["SUPPORT@example.org"]\n',
        "config.toml:9: [mailbox.1].aliases: support@example.org is used twice, "
        "first in [mailbox.0]; remove one of the two",
        id="address of two mailboxes",
    ),
    pytest.param(
        HEAD + 'aliases = ["support@example.org"]\n',
        "config.toml:7: [agent.0].aliases: support@example.org is a mailbox, "
        "so mail to this agent would come back to us; write the agent's own address",
        id="agent is a mailbox",
    ),
    pytest.param(
        HEAD + '[[agent]]\naddress = "ana@EXAMPLE.org"\n',
        "config.toml:8: [agent.1].address: ana@example.org is used twice, first in [agent.0]; "
        "remove one of the two",
        id="agent twice",
    ),
    pytest.param(
        HEAD + 'queues = ["suport"]\n',
        "config.toml:7: [agent.0].queues: no mailbox has the queue 'suport'; "
        "did you mean 'support'?",
        id="queue of nobody",
    ),
    pytest.param(
        HEAD + '[[smtp]]\nlisten = "127.0.0.1"\n',
        'config.toml:8: [smtp.0].listen: is not host:port; write one like "127.0.0.1:2525" '
        'or "[::1]:2525"',
        id="listener without port",
    ),
    pytest.param(
        HEAD + '[[smtp]]\nlisten = "127.0.0.1:99999"\n',
        'config.toml:8: [smtp.0].listen: is not host:port; write one like "127.0.0.1:2525" '
        'or "[::1]:2525"',
        id="listener's port out of range",
    ),
    pytest.param(
        HEAD + SMTP + '[web]\nlisten = "127.0.0.1:2525"\n',
        "config.toml:10: [web].listen: 127.0.0.1:2525 is taken by [smtp.0]; write another port",
        id="port in use by ourselves",
    ),
    pytest.param(
        HEAD + SMTP + 'trusted = [\n  "10.0.0.0/8",  # "[[not]]"\n  "mx",\n]\n',
        "config.toml:9: [smtp.0].trusted.1: 'mx' is not an IP address or network; "
        'write one like "10.0.0.0/8"',
        id="network is a name",
    ),
    pytest.param(
        HEAD + SMTP + 'protocol = "http"\n',
        "config.toml:9: [smtp.0].protocol: is not one of the possible values; "
        "write 'smtp' or 'lmtp'",
        id="unknown protocol",
    ),
    pytest.param(
        HEAD + '[agents]\ncollision = "strict"\n',
        'config.toml:8: [agents].collision: says "strict", as "hold" was called once; write "hold"',
        id="a guard of an earlier state",
    ),
    pytest.param(
        HEAD + '[agents]\ncollision = "off"\n',
        "config.toml:8: [agents].collision: is not one of the possible values; "
        "write 'hold', 'colleagues' or 'send'",
        id="unknown guard",
    ),
    pytest.param(
        HEAD + SMTP + 'tls_cert = "config.toml"\n',
        "config.toml:9: [smtp.0].tls_cert: needs tls_key beside it; write tls_key too",
        id="certificate without key",
    ),
    pytest.param(
        HEAD + SMTP + 'tls_cert = "config.toml"\ntls_key = "key.pem"\n',
        "config.toml:10: [smtp.0].tls_key: there is no file key.pem; create it or mend the path",
        id="key file missing",
    ),
    pytest.param(
        HEAD + SMTP + 'auth = ["ana@example.org:letmein"]\n',
        'config.toml:9: [smtp.0].auth: entry 1 is not login:hash; write "login:scrypt$..."',
        id="login with a plain password",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nport = 70000\n',
        "config.toml:11: [imap.0].port: is out of range; write at most 65535",
        id="port out of range",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nport = "993"\n',
        "config.toml:11: [imap.0].port: is not a whole number; write a number without quotes",
        id="number in quotes",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nidle = "no"\n',
        "config.toml:11: [imap.0].idle: is neither true nor false; "
        "write true or false, without quotes",
        id="flag in quotes",
    ),
    pytest.param(
        HEAD + IMAP,
        "config.toml:7: [imap.0]: has no password; "
        "write password_file, password, password_env or an [imap.oauth2]",
        id="no password",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\npassword_env = "PATH"\n',
        "config.toml:11: [imap.0].password_env: password and password_env are both set; "
        "keep one of them",
        id="two passwords",
    ),
    pytest.param(
        HEAD + IMAP + 'password_env = "MAILGATE_NO_SUCH_VARIABLE"\n',
        "config.toml:10: [imap.0].password_env: the environment has no variable "
        "MAILGATE_NO_SUCH_VARIABLE; set it, or write a file instead",
        id="variable not set",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nmailbox = "suport@example.org"\n',
        "config.toml:11: [imap.0].mailbox: there is no mailbox 'suport@example.org'; "
        "did you mean 'support@example.org'?",
        id="account of an unknown mailbox",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nsent = "Processed"\n',
        "config.toml:11: [imap.0].sent: the folder of mail that was sent is used for other mail; "
        "write another folder",
        id="sent mail in a folder of others",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\nprocessed = "INBOX"\n',
        "config.toml:7: [imap.0].folder: mail would be moved into the folder it is read from; "
        "write another folder",
        id="account that moves in circles",
    ),
    pytest.param(
        HEAD + IMAP + '[imap.oauth2]\ntoken_url = "http://login.example.com"\nclient_id = "x"\n'
        'client_secret = "y"\n',
        "config.toml:11: [imap.0.oauth2].token_url: a secret would cross the network in the "
        "clear; write an https:// address",
        id="token over plain http",
    ),
    pytest.param(
        HEAD + RELAY + 'username = "u"\n',
        "config.toml:9: [relay.0].username: there is no password for it; "
        "write password_file, or remove username",
        id="login without password",
    ),
    pytest.param(
        HEAD + RELAY + 'tls = "ssl"\n',
        "config.toml:9: [relay.0].tls: is not one of the possible values; "
        "write 'none', 'starttls' or 'implicit'",
        id="unknown tls",
    ),
    pytest.param(
        HEAD + RELAY + 'ca_file = "ca.pem"\n',
        "config.toml:9: [relay.0].ca_file: there is no file ca.pem; create it or mend the path",
        id="CA file missing",
    ),
    pytest.param(
        HEAD + '[database]\nurl = "postgres://u:hush@db/x"\n',
        "config.toml:8: [database].url: names no database that mailgate knows; "
        'write "sqlite" or "postgresql+psycopg://USER@HOST/NAME"',
        id="unknown database",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'timezone = "Mars/Base"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].timezone: 'Mars/Base' is not a time zone; "
        'write one like "UTC" or "Europe/Madrid"',
        id="unknown time zone",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'language = "tlh"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].language: there are no templates for 'tlh'; "
        f"write one of: {LANGUAGES}",
        id="language without templates",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'rules = "mine.yaml"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].rules: mine.yaml cannot be read: No such file or directory; "
        "check the path and its permissions",
        id="rules file missing",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'data_dir = "config.toml"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].data_dir: config.toml is not a folder; "
        "write the path of a folder",
        id="data folder is a file",
    ),
    pytest.param(
        HEAD + '[tickets]\nstatuses = ["new", "open", "closed"]\npending = "open"\n'
        'resolved = "done"\n',
        "config.toml:10: [tickets].resolved: 'done' is not among the statuses; "
        "write one of: closed, new, open",
        id="meaning without status",
    ),
    pytest.param(
        HEAD + '[tickets.transitions]\nnew = ["open", "waiting"]\nopen = ["waiting"]\n'
        'waiting = ["open"]\nresolved = ["open"]\n',
        "config.toml:7: [tickets.transitions].closed: 'closed' may not become 'open', but does "
        "when a customer reopens a ticket; add 'open' to the list of 'closed'",
        id="a reply could not reopen",
    ),
    pytest.param(
        HEAD + '[tickets]\ndefault_priority = "medium"\n',
        "config.toml:8: [tickets].default_priority: 'medium' is not among the priorities; "
        "write one of: high, low, normal, urgent",
        id="unknown default priority",
    ),
    pytest.param(
        HEAD + '[agents]\nduty = ["anna@example.org"]\n',
        "config.toml:8: [agents].duty: anna@example.org is not the address of an [[agent]]; "
        "did you mean 'ana@example.org'?",
        id="on duty",
    ),
    pytest.param(
        HEAD + '[tickets.groups]\nbilling = ["anna@example.org"]\n',
        "config.toml:8: [tickets.groups].billing: anna@example.org is not the address of an "
        "agent; did you mean 'ana@example.org'?",
        id="group of nobody",
    ),
    pytest.param(
        HEAD + "[gate]\ntotal_hour = -1\n",
        "config.toml:8: [gate].total_hour: is out of range; write at least 0",
        id="negative cap",
    ),
    pytest.param(
        HEAD + '[limits]\nmax_size = "25 megs"\n',
        "config.toml:8: [limits].max_size: '25 megs' is not a size; "
        'write octets, or a size like "25 MiB"',
        id="size in words",
    ),
    pytest.param(
        HEAD + '[sla.answer]\nhigh = "soon"\n',
        'config.toml:8: [sla.answer].high: is not a duration; write one like "30m", "4h" or "2d"',
        id="duration in words",
    ),
    pytest.param(
        HEAD + '[sla.hours]\nmon = "9 to 5"\n',
        'config.toml:8: [sla.hours].mon: is no span of a day; write one like "09:00-17:00"',
        id="hours in words",
    ),
    pytest.param(
        HEAD + '[sla.hours]\nmonday = "09:00-17:00"\n',
        "config.toml:8: [sla.hours].monday: is not one of the possible values; "
        "write 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'",
        id="day written out",
    ),
    pytest.param(
        HEAD + '[sla.answer]\nhihg = "4h"\n',
        "config.toml:8: [sla.answer].hihg: there is no priority 'hihg'; did you mean 'high'?",
        id="target for an unknown priority",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'subject_tag = "[HD#]"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].subject_tag: is no subject_tag; "
        "write up to 20 letters, digits, - or _, without brackets or #",
        id="tag with its brackets",
    ),
    pytest.param(
        HEAD.replace("[[mailbox]]", 'public_url = "help.example.org"\n[[mailbox]]'),
        "config.toml:3: [helpdesk].public_url: is not a web address; "
        'write one like "https://help.example.org"',
        id="public_url without scheme",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\n[imap.oauth2]\ntoken_command = ["t"]\n',
        "config.toml:10: [imap.0].password: a password and oauth2 are both set; keep one of them",
        id="password and token",
    ),
    pytest.param(
        HEAD + IMAP + '[imap.oauth2]\ntoken_url = "https://login.example.com"\n',
        "config.toml:10: [imap.0.oauth2].client_id: is missing; "
        "write client_id, or a token_command\n"
        "config.toml:10: [imap.0].oauth2: has neither client secret nor refresh token; "
        "write client_secret_file or refresh_token_file",
        id="token without client",
    ),
    pytest.param(
        HEAD + IMAP + 'password = "x"\n' + IMAP + 'password = "y"\n',
        "config.toml:11: [imap.1]: the same folder of the same account is read twice; "
        "remove one of the two",
        id="account twice",
    ),
    pytest.param(
        HEAD + IMAP.replace('"support"', '"sup\\r\\nport"') + 'password = "x"\n',
        "config.toml:9: [imap.0].username: holds a control character; "
        "write it in one line of plain text",
        id="line break in a name",
    ),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_each_mistake_is_named(text: str, said: str, tmp_path: Path) -> None:
    assert "\n".join(mistakes(tmp_path, text)) == said
