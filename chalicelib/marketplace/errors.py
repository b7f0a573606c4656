"""What can be wrong with a marketplace.

StreamSpaceError
├── MarketplaceUnavailable   503   MARKETPLACE_UNAVAILABLE   away, not configured, damaged, or not signed by whom we trust
├── SignatureInvalid         422   SIGNATURE_INVALID         a package is not the one that the signed index names
└── ListingNotFound          404   PLUGIN_NOT_FOUND          no such plugin, or no such release of it, in the marketplace
"""

from chalicelib.core.errors import NotFound, ServiceUnavailable, StreamSpaceError


class MarketplaceUnavailable(ServiceUnavailable):
    code = "MARKETPLACE_UNAVAILABLE"
    message = "Cannot connect to marketplace"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{type(self).message}: {reason}", reason=reason)


class SignatureInvalid(StreamSpaceError):
    code, status = "SIGNATURE_INVALID", 422
    message = "The package is not the one that its publisher signed"


class ListingNotFound(NotFound):
    code = "PLUGIN_NOT_FOUND"
    message = "The marketplace has no such plugin"
