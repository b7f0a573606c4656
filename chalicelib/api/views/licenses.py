"""Licences as the REST document shows them, with what it leaves open where one asks about a licence itself. Keys are masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib import plugins
from chalicelib.core import clock
from chalicelib.plugins import InstalledPlugin


def block(one: InstalledPlugin) -> dict[str, Any] | None:
    """Within a plugin's details. None: it needs no licence, and has none. Source: REST §2."""
    now = plugins.licenses.standing(one)
    if now is None:
        return None
    terms = one.license.terms if one.license else None
    return {
        "status": now.status,
        "type": terms.type if terms else None,
        "expires_at": _time(terms.expires_at) if terms else None,
        "days_remaining": now.days_remaining,
    }


def activation(one: InstalledPlugin) -> dict[str, Any]:
    """Source: REST §14."""
    now = plugins.licenses.standing(one)
    assert one.license is not None
    assert now is not None
    terms = one.license.terms
    return {"status": now.status, "type": terms.type, "features": list(terms.features), "expires_at": _time(terms.expires_at)}


def details(one: InstalledPlugin) -> dict[str, Any]:
    """All that is known of it. ``valid_until``: when it ends unless the licence service confirms it before."""
    now = plugins.licenses.standing(one)
    assert one.license is not None
    assert now is not None
    return {
        **activation(one),
        "days_remaining": now.days_remaining,
        "license_key": one.license.key.masked,
        "seats": one.license.terms.seats,
        "seats_used": one.license.terms.seats_used,
        "activated_at": _time(one.license.activated_at),
        "confirmed_at": _time(one.license.confirmed_at),
        "valid_until": _time(now.valid_until),
    }


def deactivation(one: InstalledPlugin) -> dict[str, Any]:
    """``plugin_status``: one that needs a licence was switched off."""
    return {"status": "inactive", "slug": one.slug, "plugin_status": one.status}


def _time(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None
