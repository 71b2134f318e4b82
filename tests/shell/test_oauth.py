"""Access tokens: grants, rotation, expiry, and what may go wrong at the endpoint."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mailgate.sources.oauth import OAuthError, OAuthSettings, TokenSource
from tests.peers.ports import free_port
from tests.peers.token_endpoint import Answer, Form, TokenEndpoint


def good(expires_in: object = 3600, **more: object) -> Answer:
    return 200, {"access_token": "access-1", "expires_in": expires_in, **more}


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(lambda _form: good()) as running:
        yield running


def refreshing(endpoint: TokenEndpoint, folder: Path, **values: Any) -> OAuthSettings:
    base: dict[str, Any] = {
        "token_url": endpoint.url,
        "client_id": "me",
        "client_secret": "hush-client",
        "refresh_token": "hush-0",
        "scope": "imap",
        "token_file": folder / "oauth" / "support.json",
    }
    return OAuthSettings(**{**base, **values})


def test_refresh_token_grant(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    assert TokenSource(refreshing(endpoint, tmp_path)).token() == "access-1"
    assert endpoint.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "hush-0",
            "client_id": "me",
            "client_secret": "hush-client",
            "scope": "imap",
        }
    ]


def test_client_credentials_grant(endpoint: TokenEndpoint) -> None:
    settings = OAuthSettings(token_url=endpoint.url, client_id="me", client_secret="hush-client")
    assert TokenSource(settings).token() == "access-1"
    assert endpoint.forms[0]["grant_type"] == "client_credentials"
    assert "refresh_token" not in endpoint.forms[0]


@pytest.mark.parametrize(
    ("expires_in", "requests"), [(3600, 1), ("3600", 1), (120, 1), (59, 3), (0, 3), ("soon", 1)]
)
def test_a_token_is_kept_until_a_minute_before_its_end(
    endpoint: TokenEndpoint, tmp_path: Path, expires_in: object, requests: int
) -> None:
    endpoint.answer = lambda _form: good(expires_in)
    source = TokenSource(refreshing(endpoint, tmp_path))
    for _ in range(3):
        source.token()
    assert len(endpoint.forms) == requests


def test_i11_a_refused_token_is_forgotten(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    source = TokenSource(refreshing(endpoint, tmp_path))
    source.token()
    source.forget()
    source.token()
    assert len(endpoint.forms) == 2


def test_i11_a_rotated_token_is_stored_and_used(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    numbers = count(1)
    endpoint.answer = lambda _form: good(0, refresh_token=f"hush-{next(numbers)}")
    settings = refreshing(endpoint, tmp_path)
    source = TokenSource(settings)
    source.token()
    source.token()
    TokenSource(settings).token()  # as after a restart
    assert [form["refresh_token"] for form in endpoint.forms] == ["hush-0", "hush-1", "hush-2"]
    file = settings.token_file
    assert file is not None
    assert json.loads(file.read_bytes())["refresh_token"] == "hush-3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_i11_a_newly_configured_token_beats_the_stored_one(
    endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    endpoint.answer = lambda _form: good(0, refresh_token="hush-rotated")
    TokenSource(refreshing(endpoint, tmp_path)).token()
    TokenSource(refreshing(endpoint, tmp_path, refresh_token="hush-renewed")).token()
    assert endpoint.forms[-1]["refresh_token"] == "hush-renewed"


def test_i11_no_access_token_where_the_rotated_one_cannot_be_stored(
    endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    endpoint.answer = lambda _form: good(refresh_token="hush-1")
    (tmp_path / "file").write_text("")
    settings = refreshing(endpoint, tmp_path, token_file=tmp_path / "file" / "token.json")
    with pytest.raises(OAuthError, match="token_file") as caught:
        TokenSource(settings).token()
    assert "hush" not in str(caught.value)


def test_i11_a_broken_token_file_is_not_believed(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    file = tmp_path / "token.json"
    file.write_bytes(b"\xff{")
    TokenSource(refreshing(endpoint, tmp_path, token_file=file)).token()
    assert endpoint.forms[0]["refresh_token"] == "hush-0"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((400, {"error": "invalid_grant", "error_description": "hush"}), "invalid_grant"),
        ((401, {"error": "invalid_client"}), "invalid_client"),
        ((500, b"<html>hush</html>"), "refused"),
        ((400, {"error": "x\r\ny"}), "refused"),
        ((200, b"not json"), "no_token"),
        ((200, {"access_token": ""}), "no_token"),
        ((200, {"access_token": "hush\r\nA1 LOGOUT"}), "no_token"),
        ((200, {"access_token": ["hush"]}), "no_token"),
        ((200, b"[]"), "no_token"),
        ((307, {}), "refused"),
    ],
)
def test_i11_refusals_are_clear_and_keep_secrets(
    endpoint: TokenEndpoint, tmp_path: Path, answer: Answer, code: str
) -> None:
    endpoint.answer = lambda _form: answer
    with pytest.raises(OAuthError) as caught:
        TokenSource(refreshing(endpoint, tmp_path)).token()
    assert caught.value.code == code
    assert "hush" not in str(caught.value)
    assert len(endpoint.forms) == 1, "neither repeated nor redirected"


def test_i11_an_endpoint_that_hangs(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    endpoint.hang.clear()
    with pytest.raises(OAuthError, match="unreachable"):
        TokenSource(refreshing(endpoint, tmp_path, timeout=0.2)).token()


def test_i11_an_endpoint_that_is_not_there(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    settings = refreshing(endpoint, tmp_path, token_url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(OAuthError, match=r"unreachable.*refused"):
        TokenSource(settings).token()


def test_i11_recovers_after_a_failure(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    source = TokenSource(refreshing(endpoint, tmp_path))
    endpoint.answer = lambda _form: (503, b"")
    with pytest.raises(OAuthError):
        source.token()
    endpoint.answer = lambda _form: good()
    assert source.token() == "access-1"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("printf", "two words"), "did not print one token"),
        (("true",), "did not print one token"),
        (("sh", "-c", "echo hush; exit 3"), "exited with 3"),
        (("sleep", "30"), "took over"),
        (("/nonexistent/token-helper",), "No such file"),
    ],
)
def test_i11_a_token_command_that_fails(command: tuple[str, ...], said: str) -> None:
    settings = OAuthSettings(token_command=command, timeout=0.5)
    with pytest.raises(OAuthError, match=said) as caught:
        TokenSource(settings).token()
    assert "hush" not in str(caught.value)


def test_a_token_command_is_asked_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = TokenSource(OAuthSettings(token_command=("cat", str(file))))
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert source.token() == token


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "either token_url or token_command"),
        ({"token_url": "https://x.test", "token_command": ("true",)}, "either"),
        ({"token_url": "http://login.example.org/token"}, "must be https"),
        ({"token_url": "file:///etc/passwd"}, "must be https"),
        ({"token_url": "https://x.test"}, "client_id"),
        ({"token_url": "https://x.test", "client_id": "a"}, "refresh_token or client_secret"),
        (
            {"token_url": "https://x.test", "client_id": "a", "refresh_token": "r"},
            "needs token_file",
        ),
    ],
)
def test_settings_that_cannot_work(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OAuthSettings(**values)


def test_secrets_are_not_shown(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    assert "hush" not in repr(refreshing(endpoint, tmp_path))


def test_a_form_has_no_empty_fields(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    settings = refreshing(endpoint, tmp_path, client_secret="", scope="")
    TokenSource(settings).token()
    expected: Form = {
        "grant_type": "refresh_token",
        "refresh_token": "hush-0",
        "client_id": "me",
    }
    assert endpoint.forms == [expected]
