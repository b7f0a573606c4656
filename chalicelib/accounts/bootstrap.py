"""The first administrator, for whoever deploys the platform."""

from chalicelib.accounts import passwords, tokens, users
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import UserAlreadyExists
from chalicelib.accounts.models import find_user

_DEPLOYMENT = "deployment"


def ensure_administrator(username: str, password: str, email: str | None = None) -> str:
    """A token of the administrator ``username``, who can sign in with ``password`` afterwards, whatever was before. May run again.

    The token is a personal one, for a year, in place of the one that an earlier run made.
    """
    try:
        users.create_user(
            username=username,
            full_name="Administrator",
            email=email or f"{username}@streamspace.local",
            tier="enterprise",
            password=password,
            role="admin",
            by=None,
        )
    except UserAlreadyExists:
        row = find_user(username)
        if row is None or row.role != "admin":
            users.update_user(username, role="admin", by=None)
        if row is None or not passwords.matches(row.password_hash, password):
            users.set_password(username, password, by=None)
    caller = Caller(kind="user", id=username, name=users.get_user(username).full_name, role="admin", scopes=None)
    for earlier in tokens.list_tokens(caller):
        if earlier.name == _DEPLOYMENT:
            tokens.revoke_token(caller, earlier.id)
    return tokens.create_token(caller, _DEPLOYMENT, scopes=None, expires_in_days=tokens.MOST_DAYS).text
