"""What can go wrong with people and their tokens.

NotFound
├── SsoNotConfigured     404
├── UserNotFound         404
├── TierNotFound         404
└── TokenNotFound        404
Conflict
├── UserAlreadyExists    409
└── LastAdministrator    409
ValidationError
└── InvalidEmail         422
RateLimited
└── SignInLocked         429   details: retry_after_s
ServiceUnavailable
└── SsoUnavailable       503
PermissionDenied
└── PasswordChangeRequired  403   the password was right
Unauthenticated
├── SsoFailed            401
└── WrongCredentials     401   the code stays UNAUTHENTICATED: which of the two was wrong is nobody's business
"""

from collections.abc import Iterable

from chalicelib.core.errors import (
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServiceUnavailable,
    StreamSpaceError,
    Unauthenticated,
    ValidationError,
)


class UserNotFound(NotFound):
    code = "USER_NOT_FOUND"
    message = "There is no such user"

    def __init__(self, username: str) -> None:
        super().__init__(f"There is no user '{username}'", username=username)


class TokenNotFound(NotFound):
    code = "TOKEN_NOT_FOUND"
    message = "You have no such token"


class UserAlreadyExists(Conflict):
    code = "USER_ALREADY_EXISTS"
    message = "The username is taken"

    def __init__(self, username: str) -> None:
        super().__init__(f"The username '{username}' is taken", username=username)


class LastAdministrator(Conflict):
    code = "LAST_ADMINISTRATOR"
    message = "There must always be an administrator"

    def __init__(self, username: str) -> None:
        super().__init__(f"'{username}' is the only administrator; make somebody else one first", username=username)


class TierNotFound(NotFound):
    code = "TIER_NOT_FOUND"
    message = "There is no such tier"

    def __init__(self, tier: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no tier '{tier}'; there are: {', '.join(known)}", tier=tier)


class InvalidEmail(ValidationError):
    code = "INVALID_EMAIL"

    def __init__(self, email: str) -> None:
        sentence = f"'{email[:100]}' is not an email address such as 'jane@example.com'"
        super().__init__({"email": [sentence]}, sentence)


class WrongCredentials(Unauthenticated):
    message = "The username or the password is wrong"


class PasswordChangeRequired(PermissionDenied):
    code = "PASSWORD_CHANGE_REQUIRED"
    message = "An administrator wants you to set a new password: sign in with 'new_password' as well"


class SignInLocked(RateLimited):
    code = "SIGN_IN_LOCKED"

    def __init__(self, retry_after_s: int) -> None:
        StreamSpaceError.__init__(
            self, f"Too many wrong passwords; the next try is possible in {retry_after_s} s", retry_after_s=retry_after_s
        )


class SsoNotConfigured(NotFound):
    code = "SSO_NOT_CONFIGURED"
    message = "This platform has no single sign-on; sign in with username and password"


class SsoFailed(Unauthenticated):
    code = "SSO_FAILED"
    message = "The sign-in with the provider did not succeed; begin again"


class SsoUnavailable(ServiceUnavailable):
    code = "SSO_UNAVAILABLE"
    message = "The sign-in provider gives no usable answer; try again shortly"
