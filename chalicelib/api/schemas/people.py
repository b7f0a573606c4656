"""What ``views/auth.py``, ``views/sessions.py`` and the domain's ``…_object`` functions make. Source: plugin API.

The plugin API's objects have the documented fields and no more, for everybody.
"""

from __future__ import annotations

from chalicelib.accounts import ROLES, TIERS
from chalicelib.api.schemas.shapes import COUNT, FLAG, MOMENT, TEXT, Schema, by_name, many, nullable, one_of, record, ref

_AMOUNTS = record({"memory": TEXT, "cpu": TEXT})
_QUOTAS = record({"memory": TEXT, "maxSessions": COUNT, "storage": TEXT, "maxSessionDuration": TEXT})
_TAKEN = record({"used": COUNT, "allowed": COUNT})
_USER: dict[str, Schema] = {
    "username": TEXT,
    "fullName": TEXT,
    "email": TEXT,
    "tier": TEXT,
    "quotas": _QUOTAS,
    "createdAt": MOMENT,
    "updatedAt": MOMENT,
}
_TOKEN: dict[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "scopes": nullable(many(TEXT)) | {"description": "null: whatever the owner may"},
    "created_at": MOMENT,
    "expires_at": MOMENT,
}

SCHEMAS: dict[str, Schema] = {
    "SingleSignOn": record(
        {
            "issuer": TEXT,
            "client_id": TEXT,
            "scopes": TEXT,
            "groups_claim": TEXT,
            "roles": by_name(TEXT),
            "default_role": one_of(*ROLES),
            "default_tier": one_of(*TIERS),
            "creates_users": FLAG,
            "link_by_verified_email": FLAG,
        }
    ),
    "ProgramsToken": record({"token": TEXT, "username": TEXT, "role": one_of(*ROLES)}),
    "Deleting": record({"username": TEXT, "status": TEXT}),
    "Session": record(
        {
            "id": TEXT,
            "name": TEXT,
            "user": TEXT,
            "template": TEXT,
            "state": one_of("running", "hibernated", "terminated"),
            "resources": _AMOUNTS,
            "persistentHome": FLAG,
            "idleTimeout": TEXT,
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        },
        {"url": TEXT, "podName": TEXT, "lastActivity": MOMENT},
    ),
    "SessionStatus": record(
        {
            "id": TEXT,
            "state": one_of("running", "hibernated", "terminated"),
            "ready": FLAG,
            "phase": TEXT,
            "reason": nullable(TEXT),
            "message": nullable(TEXT),
            "idleTimeout": nullable(TEXT),
            "maxSessionDuration": nullable(TEXT),
            "end": nullable(
                record({"kind": TEXT, "leadsTo": one_of("hibernated", "terminated"), "at": MOMENT, "warnedAt": MOMENT, "message": TEXT})
            ),
        },
        {"idleSince": MOMENT, "awakeUntil": MOMENT, "lifetimeEndsAt": MOMENT},
    ),
    "Tier": record({"tier": one_of(*TIERS), "quotas": _QUOTAS, "shippedQuotas": _QUOTAS, "isChanged": FLAG}),
    "Usage": record({"sessions": _TAKEN, "memory": _TAKEN, "storage": _TAKEN}),
    "User": record(_USER, {"lastLogin": MOMENT}),
    "Template": record(
        {
            "name": TEXT,
            "displayName": TEXT,
            "description": TEXT,
            "category": TEXT,
            "baseImage": TEXT,
            "defaultResources": _AMOUNTS,
            "ports": many(record({"name": TEXT, "containerPort": COUNT, "protocol": TEXT})),
            "env": many(record({"name": TEXT, "value": TEXT})),
            "capabilities": many(TEXT),
            "tags": many(TEXT),
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        },
        {"icon": TEXT},
    ),
    "Account": record({**_USER, "role": one_of("admin", "manager", "user")}, {"lastLogin": MOMENT}),
    "SignIn": record({"token": TEXT, "expires_at": MOMENT, "user": ref("Account")}),
    "Token": record(_TOKEN),
    "NewToken": record({**_TOKEN, "token": TEXT | {"description": "Shown this once"}}),
}
