"""What can be wrong with a webhook.

StreamSpaceError
├── WebhookNotFound    404   WEBHOOK_NOT_FOUND
├── DeliveryNotFound   404   DELIVERY_NOT_FOUND
├── WebhookNotActive   409   WEBHOOK_NOT_ACTIVE
└── TooManyWebhooks    422   TOO_MANY_WEBHOOKS
"""

from chalicelib.core.errors import Conflict, NotFound, StreamSpaceError


class WebhookNotFound(NotFound):
    code = "WEBHOOK_NOT_FOUND"
    message = "There is no such webhook"


class DeliveryNotFound(NotFound):
    code = "DELIVERY_NOT_FOUND"
    message = "There is no such delivery of this webhook; deliveries are kept for 30 days"


class WebhookNotActive(Conflict):
    code = "WEBHOOK_NOT_ACTIVE"
    message = "The webhook is switched off; switch it on before sending to it"


class TooManyWebhooks(StreamSpaceError):
    code, status = "TOO_MANY_WEBHOOKS", 422
    message = "There are as many webhooks as are allowed; remove one first"
