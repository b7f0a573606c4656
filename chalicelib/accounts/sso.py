"""Single sign-on: people who sign in with an OpenID provider. Off until an administrator names one.

Who somebody is, is the issuer and the subject, and nothing else: an email address or a name at a provider may be given to another person
tomorrow. A user is made at the first sign-in. An existing user is taken over only where the administrator says so
(``link_by_verified_email``): the provider calls the email verified, it is that very user's, the usernames are the same, and it is no
administrator's.

Promises
    A sign-in that was begun in one browser ends in that browser, once, within ten minutes.
    Groups that are mapped to roles decide the role at each sign-in; without a mapping, roles are the platform's own business.
    The last administrator stays one, whatever the groups say.
    A program gets its token for a code that works once, within a minute, and only with the secret of whoever began (PKCE).
    The client's secret is stored encrypted, and never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets as randomness
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError

from chalicelib.accounts import sign_in, users
from chalicelib.accounts.errors import LastAdministrator, SsoFailed, SsoNotConfigured, SsoUnavailable, UserAlreadyExists
from chalicelib.accounts.oidc import Provider, challenge_of, is_safe_address
from chalicelib.accounts.permissions import ROLES
from chalicelib.accounts.sign_in import SignedIn
from chalicelib.accounts.user import TIERS, User, is_email
from chalicelib.core import clock, ids, log, secrets
from chalicelib.core.errors import ValidationError
from chalicelib.core.tables import Row, TableMeta, condition_failed, table
from chalicelib.events import UnitOfWork, unit_of_work

_BEGUN_FOR_S, _CODE_FOR_S = 600, 60
_CONTEXT = {"purpose": "sso-client-secret"}
_SETTINGS = ("PLATFORM", "SSO")
_NAMES_TRIED = 5


@dataclass(frozen=True)
class SsoSettings:
    """What an administrator says of the provider. ``roles`` maps its groups (the claim ``groups_claim``) to roles."""

    issuer: str
    client_id: str
    scopes: str = "openid profile email"
    groups_claim: str = "groups"
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = "user"
    default_tier: str = "free"
    creates_users: bool = True
    link_by_verified_email: bool = False


class _Row(Row):
    """The settings: pk PLATFORM, sk SSO. A sign-in that was begun: SSO#{hash of state}. A code for a program: SSO-CODE#{hash}. Who a
    subject of a provider is: IDENTITY#{hash of issuer and subject}."""

    class Meta(TableMeta):
        table_name = table("ACCOUNTS_TABLE")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True, default="SSO")
    body = UnicodeAttribute()
    expires_at = NumberAttribute(null=True)

    def value(self) -> dict[str, Any]:
        found = json.loads(self.body)
        return found if isinstance(found, dict) else {}


class _Kept:
    """This container's provider, for as long as the settings are the same."""

    body = ""
    provider: Provider | None = None


def forget() -> None:
    """Read everything anew. For tests."""
    _Kept.body, _Kept.provider = "", None


def settings() -> SsoSettings | None:
    """None where single sign-on is off. One GetItem."""
    row = _find(*_SETTINGS)
    return _settings_of(row) if row else None


def configure(wanted: SsoSettings, client_secret: str | None) -> SsoSettings:
    """Turn it on, or change it. A secret of None keeps the one that is there, for the same issuer and client.

    Raises: ValidationError, also where the provider does not answer as one.
    """
    faults: dict[str, list[str]] = {}
    if not is_safe_address(wanted.issuer):
        faults["issuer"] = ["Must be an https address without a user in it"]
    for group, role in wanted.roles.items():
        if role not in ROLES:
            faults[f"roles.{group}"] = [f"Must be one of: {', '.join(ROLES)}"]
    if wanted.default_role not in ROLES or wanted.default_tier not in TIERS:
        faults["default_role"] = [f"Must be one of: {', '.join(ROLES)}; and default_tier one of: {', '.join(TIERS)}"]
    if "openid" not in wanted.scopes.split():
        faults["scopes"] = ["Must contain 'openid'"]
    if faults:
        raise ValidationError(faults)
    try:
        Provider(wanted.issuer, wanted.client_id, None).discover()
    except SsoUnavailable as error:
        raise ValidationError({"issuer": [error.message]}) from error
    before = _find(*_SETTINGS)
    sealed = secrets.sealed(client_secret, **_CONTEXT) if client_secret else None
    if sealed is None and before is not None:
        kept = before.value()
        if (kept["issuer"], kept["client_id"]) == (wanted.issuer, wanted.client_id):
            sealed = kept.get("secret")
    _Row(*_SETTINGS, body=json.dumps({**asdict(wanted), "roles": dict(wanted.roles), "secret": sealed})).save()
    return wanted


def turn_off() -> None:
    """Nobody signs in with the provider any more; who has done so stays signed in. Off already is fine."""
    _Row(*_SETTINGS).delete()


@dataclass(frozen=True)
class Begun:
    """``address``: where the browser goes. ``state`` stays with the browser, and proves at the end that it is the same one."""

    address: str
    state: str


def begin(*, callback: str, leads_to: Mapping[str, str]) -> Begun:
    """Begin a sign-in, which comes back to ``callback``. ``leads_to`` is given back at its end. Raises SsoNotConfigured, SsoUnavailable."""
    provider, _ = _provider()
    state, nonce, verifier = (randomness.token_urlsafe(32) for _ in range(3))
    address = provider.address(redirect_uri=callback, state=state, nonce=nonce, verifier=verifier)
    body = {"nonce": nonce, "verifier": verifier, "callback": callback, "leads_to": dict(leads_to)}
    _save(f"SSO#{_hash(state)}", body, _BEGUN_FOR_S)
    return Begun(address, state)


@dataclass(frozen=True)
class Ended:
    signed_in: SignedIn
    leads_to: Mapping[str, str]


def end(*, state: str, of_browser: str | None, code: str, issuer: str | None) -> Ended:
    """Who came back from the provider, signed in. ``of_browser`` is the state that the browser kept, ``issuer`` the answer's ``iss``.

    Raises: SsoFailed, SsoNotConfigured, SsoUnavailable.
    """
    if of_browser is None or not hmac.compare_digest(of_browser.encode(), state.encode()):
        raise SsoFailed("This sign-in was begun in another browser; begin again")
    begun = _take(f"SSO#{_hash(state)}")
    if begun is None:
        raise SsoFailed("This sign-in was ended already, or took longer than ten minutes; begin again")
    provider, about = _provider()
    if issuer is not None and issuer != provider.issuer:
        raise SsoFailed("The answer is another provider's")
    claims = provider.claims_for(code, redirect_uri=begun["callback"], nonce=begun["nonce"], verifier=begun["verifier"])
    return Ended(sign_in.as_user(_username_of(claims, about)), begun["leads_to"])


def code_for(signed_in: SignedIn, challenge: str) -> str:
    """What a program gets its token for, with the secret that ``challenge`` was made of. Works once, within a minute."""
    code = randomness.token_urlsafe(32)
    sealed = secrets.sealed(signed_in.token, purpose="sso-code")
    _save(f"SSO-CODE#{_hash(code)}", {"challenge": challenge, "username": signed_in.user.username, "token": sealed}, _CODE_FOR_S)
    return code


def exchange(code: str, verifier: str) -> tuple[str, str]:
    """Username and token for a code. Raises SsoFailed; the code is spent in either case."""
    kept = _take(f"SSO-CODE#{_hash(code)}")
    if kept is None or not hmac.compare_digest(kept["challenge"].encode(), challenge_of(verifier).encode()):
        raise SsoFailed("This code was used already, has expired, or is another program's; sign in again")
    return kept["username"], secrets.opened(kept["token"], purpose="sso-code")


def _username_of(claims: Mapping[str, Any], about: SsoSettings) -> str:
    """The user who this is: made, or linked, where it is the first time."""
    identity = f"IDENTITY#{_hash(json.dumps([claims['iss'], claims['sub']]))}"
    role = role_of(claims, about)
    known = _find(identity, "SSO")
    if known is not None:
        username, since = known.value()["username"], known.value()["created_at"]
        user = users.find_user(username)
        if user is not None and clock.rfc3339(user.created_at) == since:
            if about.roles and user.role != role:
                _follow(username, role)
            return str(username)
        # The user was deleted; whoever has the name now is somebody else.
    linked = _linked(claims, about)
    if linked is not None:
        with unit_of_work() as work:
            _link(identity, known, work, linked)
        return linked.username
    if not about.creates_users:
        raise SsoFailed("You have no account on this platform; ask an administrator for one")
    return _made(identity, known, claims, about, role)


def _follow(username: str, role: str) -> None:
    try:
        users.update_user(username, role=role, by=None)
    except LastAdministrator as refused:
        # Groups at a provider must not leave a platform that nobody can run; refusing the sign-in would do just that.
        log.logger().warning(refused.message, extra={"user": username, "role_by_groups": role})


def role_of(claims: Mapping[str, Any], about: SsoSettings) -> str:
    """The most that somebody's groups give. Roles stand in ``ROLES`` with the most powerful first."""
    told = claims.get(about.groups_claim)
    groups = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    given = {about.roles[group] for group in groups if isinstance(group, str) and group in about.roles}
    return next((role for role in ROLES if role in given), about.default_role)


def _linked(claims: Mapping[str, Any], about: SsoSettings) -> User | None:
    email, wanted = claims.get("email"), claims.get("preferred_username")
    if not about.link_by_verified_email or claims.get("email_verified") is not True:
        return None
    if not isinstance(email, str) or not isinstance(wanted, str):
        return None
    user = users.find_user(wanted)
    return user if user is not None and user.email.lower() == email.lower() and user.role != "admin" else None


def _made(identity: str, known: _Row | None, claims: Mapping[str, Any], about: SsoSettings, role: str) -> str:
    plain = suggested_username(claims)
    email = claims.get("email")
    for attempt in range(_NAMES_TRIED):
        username = plain if attempt == 0 else f"{plain[:26]}-{ids.suffix()}"
        try:
            users.create_user(
                username=username,
                full_name=str(claims.get("name") or claims.get("preferred_username") or username)[:200],
                email=email if isinstance(email, str) and is_email(email) else f"{username}@sso.invalid",
                tier=about.default_tier,
                role=role,
                along=partial(_link, identity, known),
                by=None,
            )
        except UserAlreadyExists:
            continue
        return username
    raise SsoFailed("No free username was found; try again")


def suggested_username(claims: Mapping[str, Any]) -> str:
    """A valid username from what the provider calls somebody."""
    for name in ("preferred_username", "email", "name"):
        told = claims.get(name)
        if isinstance(told, str):
            plain = re.sub(r"[^a-z0-9]+", "-", told.partition("@")[0].lower()).strip("-")[:32].strip("-")
            if plain:
                return plain
    return f"user-{ids.suffix()}"


def _link(identity: str, known: _Row | None, work: UnitOfWork, user: User) -> None:
    """Of two first sign-ins at once one wins; the other is told to try again, and then finds the link."""
    row = _Row(identity, "SSO", body=json.dumps({"username": user.username, "created_at": clock.rfc3339(user.created_at)}))
    unchanged = _Row.body == known.body if known is not None else _Row.pk.does_not_exist()
    work.save(row, unchanged, otherwise=SsoFailed("You signed in twice at the same moment; try again"))


def _provider() -> tuple[Provider, SsoSettings]:
    row = _find(*_SETTINGS)
    if row is None:
        raise SsoNotConfigured()
    about = _settings_of(row)
    if _Kept.provider is None or _Kept.body != row.body:
        sealed = row.value().get("secret")
        secret = secrets.opened(sealed, **_CONTEXT) if sealed else None
        _Kept.provider, _Kept.body = Provider(about.issuer, about.client_id, secret, about.scopes), row.body
    return _Kept.provider, about


def _settings_of(row: _Row) -> SsoSettings:
    return SsoSettings(**{name: value for name, value in row.value().items() if name != "secret"})


def _find(pk: str, sk: str) -> _Row | None:
    try:
        return _Row.get(pk, sk, consistent_read=True)
    except _Row.DoesNotExist:
        return None


def _save(pk: str, body: Mapping[str, Any], lasts_s: int) -> None:
    _Row(pk, "SSO", body=json.dumps(body), expires_at=int(clock.timestamp()) + lasts_s).save()


def _take(pk: str) -> dict[str, Any] | None:
    """What was saved, for the first who asks and in time."""
    row = _find(pk, "SSO")
    if row is None or float(row.expires_at or 0) <= clock.timestamp():
        return None
    try:
        row.delete(condition=_Row.pk.exists())
    except DeleteError as error:
        if not condition_failed(error):
            raise
        return None
    return row.value()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
