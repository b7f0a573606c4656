"""What ``views/licenses.py`` makes. Source: REST §2, §14."""

from __future__ import annotations

from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, TEXT, Schema, many, nullable, one_of, record

_ACTIVATION: dict[str, Schema] = {"status": TEXT, "type": TEXT, "features": many(TEXT), "expires_at": nullable(MOMENT)}
_DAYS_REMAINING = nullable({"type": "integer"})
_DETAILS: dict[str, Schema] = {
    **_ACTIVATION,
    "days_remaining": _DAYS_REMAINING,
    "license_key": TEXT | {"description": "Masked"},
    "seats": nullable(COUNT),
    "seats_used": nullable(COUNT),
    "activated_at": nullable(MOMENT),
    "confirmed_at": nullable(MOMENT),
    "valid_until": nullable(MOMENT) | {"description": "When it ends unless the licence service confirms it before"},
}

SCHEMAS: dict[str, Schema] = {
    "LicenseBlock": record({"status": TEXT, "type": nullable(TEXT), "expires_at": nullable(MOMENT), "days_remaining": _DAYS_REMAINING}),
    "LicenseActivation": record(_ACTIVATION),
    "LicenseDeactivation": record({"status": TEXT, "slug": TEXT, "plugin_status": one_of("active", "inactive", "error")}),
    "License": record(_DETAILS),
    "VerifiedLicense": record({**_DETAILS, "is_confirmed": FLAG | {"description": "false: the licence service did not answer"}}),
}
