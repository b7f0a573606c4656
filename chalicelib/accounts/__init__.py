"""People and programs: users, roles, permissions, passwords, tokens.

Promises
    A token is looked up with one strongly consistent read, and is dead the moment that it is revoked, its owner signs out or is deleted.
    Of a token only the SHA-256 is stored, of a password only the argon2id hash; neither can be read back.
    A token acts with its owner's present role, and never makes one that may do more than itself.
    Of requests, never one more is let through than a caller is allowed in a minute, or a plugin in a day (``counts``).
    Guessing passwords is slowed down, and keeps nobody else from signing in (``guessing``).
    Who signs in with a wrong name learns no more, and waits no less, than with a wrong password.
    There is always an administrator: the last one is neither deleted nor given another role (``last_administrator``).
    A tier's quotas hold, as they are, for whatever begins after they were changed, and no user is touched for it (``tiers``).
    Every change of a user is told: ``user.created|updated|deleted|login|logout``, with the documented User (``user_object``) as its data.
"""

# Not `sso`: who signs in through it imports it, and every other request would pay for it.
from chalicelib.accounts import allowed, counts, guessing, tiers, visits
from chalicelib.accounts.caller import Caller
from chalicelib.accounts.errors import (
    InvalidEmail,
    LastAdministrator,
    PasswordChangeRequired,
    SignInLocked,
    SsoFailed,
    TierNotFound,
    TokenNotFound,
    UserAlreadyExists,
    UserNotFound,
    WrongCredentials,
)
from chalicelib.accounts.last_administrator import kept as keeping_an_administrator
from chalicelib.accounts.permissions import ROLES, SCOPES
from chalicelib.accounts.sign_in import SignedIn, login, logout
from chalicelib.accounts.token_text import is_well_formed as is_token
from chalicelib.accounts.tokens import (
    NewToken,
    Token,
    caller_of,
    create_token,
    drop_plugin_token,
    end_all_tokens,
    holder_of,
    issue_plugin_token,
    list_tokens,
    must_be_readable,
    revoke_plugin_token,
    revoke_token,
)
from chalicelib.accounts.user import TIERS, Quotas, User, is_email, quotas_object, user_object
from chalicelib.accounts.users import (
    administrators,
    begin_removal,
    create_user,
    delete_suspended,
    delete_user,
    find_user,
    get_user,
    list_users,
    require_power_over,
    set_password,
    suspend,
    update_user,
)

__all__ = [
    "ROLES",
    "SCOPES",
    "TIERS",
    "Caller",
    "InvalidEmail",
    "LastAdministrator",
    "NewToken",
    "PasswordChangeRequired",
    "Quotas",
    "SignInLocked",
    "SignedIn",
    "SsoFailed",
    "TierNotFound",
    "Token",
    "TokenNotFound",
    "User",
    "UserAlreadyExists",
    "UserNotFound",
    "WrongCredentials",
    "administrators",
    "allowed",
    "begin_removal",
    "caller_of",
    "counts",
    "create_token",
    "create_user",
    "delete_suspended",
    "delete_user",
    "drop_plugin_token",
    "end_all_tokens",
    "find_user",
    "get_user",
    "guessing",
    "holder_of",
    "is_email",
    "is_token",
    "issue_plugin_token",
    "keeping_an_administrator",
    "list_tokens",
    "list_users",
    "login",
    "logout",
    "must_be_readable",
    "quotas_object",
    "require_power_over",
    "revoke_plugin_token",
    "revoke_token",
    "set_password",
    "suspend",
    "tiers",
    "update_user",
    "user_object",
    "visits",
]
