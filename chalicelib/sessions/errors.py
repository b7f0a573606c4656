"""What can go wrong with sessions and templates.

NotFound     ├── SessionNotFound            404
             └── TemplateNotFound           404
Conflict     ├── InvalidStateTransition     409   details: from, to, allowed
             ├── SessionNotRunning          409   details: session, state
             └── TemplateAlreadyExists      409
QuotaExceeded                               403   details: quota, used, allowed
InvalidImage                                422
InsufficientResources                       503   details: retry_after_s
"""

from chalicelib.core.errors import Conflict, NotFound, ServiceUnavailable, StreamSpaceError


class SessionNotFound(NotFound):
    code = "SESSION_NOT_FOUND"
    message = "There is no session with this id"


class TemplateNotFound(NotFound):
    code = "TEMPLATE_NOT_FOUND"
    message = "There is no template with this name"


class TemplateAlreadyExists(Conflict):
    code = "TEMPLATE_ALREADY_EXISTS"
    message = "There is already a template with this name"


class InvalidStateTransition(Conflict):
    code = "INVALID_STATE_TRANSITION"
    message = "The session cannot go from its present state to that one"


class SessionNotRunning(Conflict):
    code = "SESSION_NOT_RUNNING"
    message = "The session does not run, so nobody can visit it"


class QuotaExceeded(StreamSpaceError):
    code, status = "QUOTA_EXCEEDED", 403
    message = "This would exceed the user's quota"


class InvalidImage(StreamSpaceError):
    code, status = "INVALID_IMAGE", 422
    message = "The base image is not a valid image reference, such as 'registry.example.com/team/app:1.2'"


class InsufficientResources(ServiceUnavailable):
    code = "INSUFFICIENT_RESOURCES"
    message = "The cluster has no room for this session at the moment; try again shortly"
