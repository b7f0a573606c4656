"""JSON Schema validation that tells all faults at once, in sentences, by field.

Source: JSON Schema draft 2020-12. A validator is compiled on its first use: importing jsonschema costs 100 ms, which a request
without a body need not pay.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import ValidationError

Schema = Mapping[str, Any]

_compiled: dict[int, Any] = {}

_KINDS = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number", "number": "a number",
          "boolean": "true or false", "null": "null"}  # fmt: skip

_FORMATS = {"date-time": "Must be a time such as 2026-01-02T03:04:05Z"}


def check(schema: Schema, value: Any) -> None:
    """Raises ValidationError with every fault of ``value``; a fault of the whole is under ``body``."""
    faults = faults_of(schema, value)
    if faults:
        raise ValidationError(faults)


def faults_of(schema: Schema, value: Any) -> dict[str, list[str]]:
    """Dotted field path -> its sentences; empty when ``value`` is valid."""
    faults: dict[str, list[str]] = {}
    for error in sorted(_validator(schema).iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path]):
        for field, sentence in _sentences(error):
            faults.setdefault(field, []).append(sentence)
    return faults


def _validator(schema: Schema) -> Any:
    validator = _compiled.get(id(schema))
    if validator is None:
        from jsonschema import Draft202012Validator

        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, format_checker=_formats())
        # The validator holds the schema, so that its id cannot be given to another one.
        _compiled[id(schema)] = validator
    return validator


@cache
def _formats() -> Any:
    """Our own: which formats jsonschema knows depends on what else is installed, and a test's environment has more than Lambda's."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date-time", raises=ValueError)(lambda value: not isinstance(value, str) or clock.parse_rfc3339(value) is not None)
    return checker


def _sentences(error: Any) -> list[tuple[str, str]]:
    path = [str(step) for step in error.absolute_path]
    field = ".".join(path) or "body"
    expected = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in expected if name not in error.instance]
            # jsonschema reports each missing name by itself; take the one that this error is about.
            return [(".".join([*path, name]), "This field is required") for name in missing if repr(name) in error.message]
        case "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            extra = sorted(name for name in error.instance if name not in known)
            return [(".".join([*path, name]), f"Unknown field; known are: {', '.join(known)}") for name in extra]
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            return [(field, f"Must be {' or '.join(_KINDS[kind] for kind in kinds)}")]
        case "enum":
            return [(field, f"Must be one of: {', '.join(str(choice) for choice in expected)}")]
        case "const":
            return [(field, f"Must be {expected!r}")]
        case "pattern":
            return [(field, error.schema.get("description") or f"Must match {expected}")]
        case "maxLength":
            return [(field, f"Must not exceed {expected} characters")]
        case "minLength":
            return [(field, "Must not be empty" if expected == 1 else f"Must have at least {expected} characters")]
        case "minimum":
            return [(field, f"Must be at least {expected}")]
        case "maximum":
            return [(field, f"Must be at most {expected}")]
        case "maxItems":
            return [(field, f"Must not have more than {expected} items")]
        case "minItems":
            return [(field, f"Must have at least {expected} item{'s' if expected > 1 else ''}")]
        case "minProperties":
            return [(field, "Must have at least one field")]
        case "format":
            return [(field, _FORMATS.get(expected, f"Must be a valid {expected}"))]
        case "oneOf" | "anyOf" | "not":
            return [(field, error.schema.get("description") or "Matches none of the allowed forms")]
    return [(field, error.message)]
