"""One YAML document as JSON values, read without trust."""

from __future__ import annotations

import math
from typing import Any

from chalicelib.core.errors import ValidationError

_DEEPEST = 32


def read_yaml(text: bytes) -> dict[str, Any]:
    """The one mapping that ``text`` holds.

    Refused: several documents, anchors that are used (they can make a gigabyte of a kilobyte), tags that make objects, keys that are no
    texts, and numbers that JSON does not have. A date stays the text that it is.

    Raises: ValidationError, with the line of the fault where there is one.
    """
    # Costs 20 ms, which only this kind of body need pay.
    import yaml

    try:
        value = yaml.load(text, _loader())  # noqa: S506 a SafeLoader with less
    except yaml.YAMLError as error:
        raise _fault(f"Not a YAML document: {' '.join(str(error).split())}") from error
    except (RecursionError, ValueError) as error:
        raise _fault(f"Not a YAML document that can be taken: {error}") from error
    if not isinstance(value, dict):
        raise _fault("The document must be a mapping, such as 'kind: Template'")
    _check(value, "", 0)
    return value


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event = self.peek_event()
                raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken; write the value out", event.start_mark)
            return super().compose_node(parent, index)

    timestamp = "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != timestamp]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _check(value: Any, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise _fault(f"Nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise _fault(f"The key {key!r} must be a text; put it in quotes", path or "body")
            _check(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check(inner, f"{path}.{number}", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _fault("Must be a number that JSON has", path)
    elif value is not None and not isinstance(value, str | int | float | bool):
        raise _fault(f"A value of this kind ({type(value).__name__}) is not taken", path)


def _fault(sentence: str, field: str = "body") -> ValidationError:
    return ValidationError({field: [sentence]})
