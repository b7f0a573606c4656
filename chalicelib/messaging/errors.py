"""What can go wrong with notifications and email.

NotFound
├── NotificationNotFound          404
├── NotificationActionNotFound    404
├── DialogNotFound                404
└── EmailTemplateNotFound         404   TEMPLATE_NOT_FOUND, as the plugin API calls it
Conflict
├── NotificationNotDismissible    409
├── NotificationActionUnavailable 409
├── NotificationAlreadyActed      409
└── DialogClosed                  409
ValidationError
└── InvalidEmailAddress           422
ServiceUnavailable
├── EmailNotConfigured            503
└── EmailThrottled                503   with Retry-After
"""

from collections.abc import Iterable

from chalicelib.core.errors import Conflict, NotFound, ServiceUnavailable, ValidationError


class NotificationNotFound(NotFound):
    code = "NOTIFICATION_NOT_FOUND"

    def __init__(self, notification_id: str) -> None:
        super().__init__("You have no such notification; it may have expired", id=notification_id)


class NotificationActionNotFound(NotFound):
    code = "NOTIFICATION_ACTION_NOT_FOUND"

    def __init__(self, position: int, count: int) -> None:
        super().__init__(f"The notification has {count} actions, counted from 0; there is no {position}", count=count)


class NotificationNotDismissible(Conflict):
    code = "NOTIFICATION_NOT_DISMISSIBLE"
    message = "Its sender says that this notification cannot be dismissed; it goes by itself when it expires"


class NotificationActionUnavailable(Conflict):
    code = "NOTIFICATION_ACTION_UNAVAILABLE"
    message = "This button runs a function of the plugin that sent the notification, and that function is not there any more"


class NotificationAlreadyActed(Conflict):
    code = "NOTIFICATION_ALREADY_ACTED"
    message = "You have pressed a button of this notification already; it works once"


class DialogNotFound(NotFound):
    code = "DIALOG_NOT_FOUND"
    message = "You have no such dialog"


class DialogClosed(Conflict):
    """It was answered, or nobody waits for the answer any more."""

    code = "DIALOG_CLOSED"
    message = "This dialog is closed"


class EmailTemplateNotFound(NotFound):
    code = "TEMPLATE_NOT_FOUND"
    message = "There is no template with this name"

    def __init__(self, name: str, existing: Iterable[str]) -> None:
        super().__init__(f"There is no email template '{name[:100]}'; there are: {', '.join(existing)}", existing=list(existing))


class InvalidEmailAddress(ValidationError):
    """``details``: the field of each bad address, with a sentence that shows it."""

    code = "INVALID_EMAIL_ADDRESS"
    message = "An address is not one that mail can be sent to"


class EmailNotConfigured(ServiceUnavailable):
    code = "EMAIL_NOT_CONFIGURED"
    message = "This installation sends no email: an administrator must set its sender address (STREAMSPACE_EMAIL_SENDER), verified in SES"


class EmailThrottled(ServiceUnavailable):
    def __init__(self, said: str, retry_after_s: int) -> None:
        super().__init__(f"Amazon SES takes no more email for the moment: {said}", retry_after_s=retry_after_s)
