"""Patterns of authors: run in a process of their own, where one that never comes to an end (ReDoS) costs nobody more than two seconds.

Authors know PCRE, with look-aheads and back references, which no engine of linear time has; so the bound is put on the run, and not on the
language. A check without patterns pays nothing, one with them about 15 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.core import bounded

Faults = dict[str, list[str]]

_MOST_BYTES = 1024 * 1024
_RULES = ("regex:", "not_regex:")
_KEYWORDS = ('"pattern"', '"patternProperties"')


def checked(fields: Iterable[Mapping[str, Any]], check: Callable[[], Faults]) -> Faults:
    """What ``check`` finds, which may run the patterns of these fields. Taking too long is the fault of those that have any."""
    patterned = [field for field in fields if has_pattern(field)]
    if not patterned:
        return check()
    try:
        found: Faults = json.loads(bounded.run(lambda: json.dumps(check()).encode(), most_bytes=_MOST_BYTES))
    except bounded.TooMuch:
        return {
            field["key"]: [f"The {str(field['label']).lower()} could not be checked: its pattern takes too long"] for field in patterned
        }
    return found


def has_pattern(field: Mapping[str, Any]) -> bool:
    rules = field.get("rules") or ""
    texts = [rules] if isinstance(rules, str) else [str(rule) for rule in rules]
    # A rule's name may also stand inside of another one's arguments: then the bound is for nothing, and harmless.
    if any(name in text for text in texts for name in _RULES):
        return True
    schema = json.dumps(field["schema"]) if "schema" in field else ""
    return any(keyword in schema for keyword in _KEYWORDS)
