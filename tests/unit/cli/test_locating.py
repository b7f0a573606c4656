"""A command talks to the platform that its user means, and shows a token to no other."""

import stat

import click
import pytest

from cli import locating
from cli.errors import NoStack
from cli.locating import Logins, locate


@pytest.fixture
def logins(home):
    return Logins(home.parent / "config")


def test_the_environment_wins(home, logins, write_stack):
    write_stack(home, "http://localhost:8080")
    logins.keep("https://prod.example.com", "ss_prod")

    target = locate({"STREAMSPACE_API_URL": "https://x.example.com/", "STREAMSPACE_TOKEN": "ss_env"}, home, logins)

    assert (target.api_url, target.token) == ("https://x.example.com", "ss_env")


def test_a_local_stack_is_found_from_anywhere_below_it(home, logins, write_stack):
    write_stack(home, "http://localhost:8080")
    below = home / "a" / "b"
    below.mkdir(parents=True)
    logins.keep("https://prod.example.com", "ss_prod")

    target = locate({}, below, logins)

    assert (target.api_url, target.token) == ("http://localhost:8080", "ss_admin")


def test_the_variable_names_another_stack(home, logins, write_stack):
    write_stack(home, "http://localhost:8080")
    other = write_stack(home.parent / "other", "http://localhost:9090")

    assert locate({"STREAMSPACE_LOCAL": str(other)}, home, logins).api_url == "http://localhost:9090"


def test_elsewhere_it_is_the_last_login_and_then_the_checkouts_own_stack(home, logins, write_stack):
    write_stack(locating._CHECKOUT, "http://localhost:7070")
    assert locate({}, home, logins).api_url == "http://localhost:7070"

    logins.keep("https://prod.example.com", "ss_prod")
    target = locate({}, home, logins)
    assert (target.api_url, target.token) == ("https://prod.example.com", "ss_prod")


def test_who_signed_in_on_the_local_stack_is_that_user_there(home, logins, write_stack):
    write_stack(home, "http://localhost:8080")
    logins.keep("http://localhost:8080", "ss_jane")

    assert locate({}, home, logins).token == "ss_jane"


def test_a_token_is_not_sent_to_another_address(home, logins, write_stack):
    write_stack(home, "http://localhost:8080")
    logins.keep("https://prod.example.com", "ss_prod")

    assert locate({"STREAMSPACE_API_URL": "https://evil.example.com"}, home, logins).token is None
    assert locate({"STREAMSPACE_API_URL": "http://localhost:8080"}, home, logins).token == "ss_admin"


def test_nothing_known_says_what_one_can_do(home, logins):
    with pytest.raises(NoStack, match="make run"):
        locate({}, home, logins)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"api_url": 1}', "\xff"])
def test_a_broken_description_is_no_stack(home, logins, content):
    (home / ".local").mkdir()
    (home / ".local" / "stack.json").write_text(content)

    with pytest.raises(NoStack):
        locate({}, home, logins)


def test_tokens_are_readable_by_their_owner_only_and_survive_one_another(home, logins):
    logins.keep("https://a.example.com", "ss_a")
    logins.keep("https://b.example.com", "ss_b")

    path = home.parent / "config" / "login.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (logins.current, logins.token_for("https://a.example.com")) == ("https://b.example.com", "ss_a")

    logins.forget("https://b.example.com")
    assert (logins.current, logins.token_for("https://b.example.com")) == (None, None)


def test_login_whoami_and_logout(streamspace, platform, monkeypatch):
    monkeypatch.delenv("STREAMSPACE_API_URL")
    monkeypatch.delenv("STREAMSPACE_TOKEN")
    platform.answers("POST /auth/login", {"token": "ss_jane", "expires_at": "2030-01-01T00:00:00Z", "user": {}})
    platform.answers("GET /auth/me", {"username": "jane", "fullName": "Jane", "email": "j@example.com", "role": "user"})
    platform.answers("POST /auth/logout")

    signed_in = streamspace("login", "--api-url", platform.url + "/", "--username", "jane", typed="secret\n")
    me = streamspace("whoami")
    signed_out = streamspace("logout")
    nobody = streamspace("whoami")

    assert signed_in.exit_code == me.exit_code == signed_out.exit_code == 0
    assert platform.received[0].body == {"username": "jane", "password": "secret"}
    assert "secret" not in signed_in.output
    assert "jane" in me.stdout
    assert platform.url in me.stdout
    assert platform.received[1].headers["Authorization"] == "Bearer ss_jane"
    assert nobody.exit_code == 1
    assert "NO_STACK" in nobody.stderr
    assert click.get_app_dir("streamspace").startswith(str(locating._CHECKOUT.parent))


def test_a_login_that_commands_here_do_not_use_says_so(streamspace, platform, home, write_stack, monkeypatch):
    monkeypatch.delenv("STREAMSPACE_API_URL")
    write_stack(home, "http://localhost:1")
    platform.answers("POST /auth/login", {"token": "ss_jane"})

    result = streamspace("login", "--api-url", platform.url, "--username", "jane", typed="secret\n")

    assert result.exit_code == 0
    assert "Commands still go to http://localhost:1" in result.stderr


def test_a_wrong_password_keeps_nothing(streamspace, platform):
    platform.refuses("POST /auth/login", "UNAUTHENTICATED", "Wrong username or password", status=401)

    result = streamspace("login", "--username", "jane", "--password-stdin", typed="wrong\n")

    assert result.exit_code == 1
    assert result.stderr == "UNAUTHENTICATED: Wrong username or password\n"
    assert streamspace("logout").exit_code == 1


def test_logout_forgets_also_when_the_platform_is_away(streamspace, platform, waited):
    platform.answers("POST /auth/login", {"token": "ss_jane"})
    streamspace("login", "--username", "jane", "--password-stdin", typed="secret\n")
    platform.close()

    result = streamspace("logout")

    assert result.exit_code == 0
    assert "could not be told" in result.stderr


def test_an_address_that_is_none_is_a_usage_error(streamspace):
    assert streamspace("login", "--api-url", "localhost:8080", "--username", "x", typed="x\n").exit_code == 2
