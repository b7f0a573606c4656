"""``/admin/tiers``: what users of each tier may use."""

from __future__ import annotations

from typing import Any

from chalicelib import accounts
from chalicelib.accounts import tiers
from chalicelib.accounts.tiers import Tier
from chalicelib.accounts.user import MOST_SESSIONS, SHOWN
from chalicelib.api.http import Reply, Request, Routes

routes = Routes()

_AMOUNT = {"type": "string", "minLength": 1, "maxLength": 64}
_QUOTAS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "memory": {**_AMOUNT, "description": "Of running sessions together: a quantity such as 16Gi"},
        "maxSessions": {"type": "integer", "minimum": 0, "maximum": MOST_SESSIONS},
        "storage": {**_AMOUNT, "description": "The size of the home: a quantity such as 100Gi"},
        "maxSessionDuration": {**_AMOUNT, "description": "A duration such as 12h or 1h30m"},
    },
    "required": list(SHOWN.values()),
    "additionalProperties": False,
}
_TIER = {"type": "object", "properties": {"quotas": _QUOTAS}, "required": ["quotas"], "additionalProperties": False}


@routes.get("/admin/tiers", permission="platform.view", returns="[Tier]", aws_calls=2)
def list_tiers(_request: Request) -> Reply:
    """Each tier's quotas, the smallest first, and what they are as shipped."""
    return Reply([_shown(tier) for tier in tiers.all_tiers()])


@routes.put("/admin/tiers/{tier}", permission="platform.configure", body=_TIER, returns="Tier", aws_calls=3)
def set_tier(request: Request, tier: str) -> Reply:
    """Give a tier its quotas, all four. They hold for the next session of each of its users, who are not touched; a user's own quotas
    stay in their place. 404 TIER_NOT_FOUND, 422 VALIDATION_ERROR."""
    given = {name: request.body["quotas"][shown] for name, shown in SHOWN.items()}
    return Reply(_shown(tiers.set_quotas(tier, given, by=request.caller)), message="Tier updated successfully")


@routes.delete("/admin/tiers/{tier}", permission="platform.configure", returns="Tier", aws_calls=3)
def reset_tier(request: Request, tier: str) -> Reply:
    """Give a tier the quotas that it has as shipped. Has them already is fine. 404 TIER_NOT_FOUND."""
    return Reply(_shown(tiers.reset(tier, by=request.caller)), message="Tier reset successfully")


def _shown(tier: Tier) -> dict[str, Any]:
    return {
        "tier": tier.name,
        "quotas": accounts.quotas_object(tier.quotas),
        "shippedQuotas": accounts.quotas_object(tier.shipped),
        "isChanged": tier.quotas != tier.shipped,
    }
