"""What may be asked of a session: the rules that a JSON Schema cannot say in words that help.

Each function gives the faults that it finds, as :class:`~chalicelib.core.errors.ValidationError` takes them: field -> sentences.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.core.errors import ValidationError
from chalicelib.core.quantities import parse_cpu, parse_duration, parse_memory
from chalicelib.sessions.states import INITIAL, STATES

Faults = dict[str, list[str]]

MOST_ENV, LONGEST_ENV_VALUE = 100, 8192
MOST_LABELS = 32
# More than this is not an extension; idleTimeout "0" says that a session is never idle.
LONGEST_EXTENSION_S = 366 * 24 * 3600

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# Labels with these prefixes mean something to the platform and to Kubernetes: a session must not pass for another one's.
_RESERVED = ("stream.space", "kubernetes.io", "k8s.io")


def check_create(options: Mapping[str, Any]) -> None:
    """Raises ValidationError with every fault of CreateSessionOptions. Source: plugin API, createSession()."""
    _raise(
        {
            **_missing(options, "user", "template"),
            **_state(options, INITIAL, "A session is created"),
            **_amounts(options),
            **_duration(options, "maxSessionDuration", at_least_s=1),
            **env_faults(options.get("env") or {}),
            **label_faults(options.get("labels") or {}),
        }
    )


def check_update(updates: Mapping[str, Any]) -> None:
    """Raises ValidationError with every fault of UpdateSessionOptions. Source: plugin API, updateSession()."""
    _raise({**_state(updates, STATES, "A session can become"), **_amounts(updates), **label_faults(updates.get("labels") or {})})


def check_extension(duration: str | None) -> None:
    """Raises ValidationError for a duration that is none, or longer than a year."""
    faults = {} if duration is None else amount_faults("duration", duration, parse_duration, at_least=0)
    if duration is not None and not faults and parse_duration(duration) > LONGEST_EXTENSION_S:
        faults = {"duration": ["Must not exceed a year"]}
    _raise(faults)


def env_faults(env: Mapping[str, str]) -> Faults:
    """Names as Kubernetes takes them. Source: k8s.io/apimachinery validation.IsEnvVarName."""
    faults: Faults = {}
    if len(env) > MOST_ENV:
        faults["env"] = [f"Must not have more than {MOST_ENV} variables"]
    for name, value in env.items():
        if not _ENV_NAME.fullmatch(name) or name in (".", "..") or name.startswith(".."):
            faults.setdefault(f"env.{name}", []).append(
                "Not a name that an environment variable can have: letters, digits, '_', '-' and '.', not starting with a digit"
            )
        if len(value) > LONGEST_ENV_VALUE:
            faults.setdefault(f"env.{name}", []).append(f"Must not exceed {LONGEST_ENV_VALUE} characters")
        if "\0" in value:
            faults.setdefault(f"env.{name}", []).append("Must not contain a NUL character")
    return faults


def label_faults(labels: Mapping[str, str]) -> Faults:
    """Keys and values as Kubernetes takes them. Source: Kubernetes, "Labels and Selectors", Syntax and character set."""
    faults: Faults = {}
    if len(labels) > MOST_LABELS:
        faults["labels"] = [f"Must not have more than {MOST_LABELS} labels"]
    for key, value in labels.items():
        sentences = [*_label_key_faults(key)]
        if value and not _LABEL_NAME.fullmatch(value):
            sentences.append(
                "A label's value has at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
                + (f"; this one has {len(value)} characters" if len(value) > 63 else "")
            )
        if sentences:
            faults[f"labels.{key}"] = sentences
    return faults


def amount_faults(field: str, text: str, parse: Callable[[str], int], *, at_least: int = 1) -> Faults:
    """A quantity or duration that ``parse`` takes and that is not less than ``at_least``."""
    try:
        return {} if parse(text) >= at_least else {field: ["Must be more than 0"]}
    except ValueError as error:
        return {field: [str(error)]}


def _label_key_faults(key: str) -> list[str]:
    prefix, has_prefix, name = key.rpartition("/")
    sentences = []
    if not _LABEL_NAME.fullmatch(name):
        sentences.append("A label's name has 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends")
    if has_prefix and (len(prefix) > 253 or not _LABEL_PREFIX.fullmatch(prefix)):
        sentences.append("What stands before the '/' of a label must be a DNS name, such as example.com")
    if any(prefix == domain or prefix.endswith(f".{domain}") for domain in _RESERVED):
        sentences.append(f"Labels under {prefix} belong to the platform; use a domain of your own")
    return sentences


def _missing(options: Mapping[str, Any], *names: str) -> Faults:
    return {name: ["This field is required"] for name in names if not options.get(name)}


def _state(options: Mapping[str, Any], allowed: tuple[str, ...], begin: str) -> Faults:
    state = options.get("state")
    if state is None or state in allowed:
        return {}
    return {"state": [f"{begin} {' or '.join(allowed)}, not {state}"]}


def _amounts(options: Mapping[str, Any]) -> Faults:
    resources = options.get("resources") or {}
    faults = _duration(options, "idleTimeout", at_least_s=0)
    if resources.get("memory") is not None:
        faults |= amount_faults("resources.memory", resources["memory"], parse_memory)
    if resources.get("cpu") is not None:
        faults |= amount_faults("resources.cpu", resources["cpu"], parse_cpu)
    return faults


def _duration(options: Mapping[str, Any], name: str, *, at_least_s: int) -> Faults:
    given = options.get(name)
    return {} if given is None else amount_faults(name, given, parse_duration, at_least=at_least_s)


def _raise(faults: Faults) -> None:
    if faults:
        raise ValidationError(faults)
