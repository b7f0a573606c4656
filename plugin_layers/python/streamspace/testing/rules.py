"""The platform's rules that a JSON Schema cannot say: what a session, a user, a template and an email may be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import amounts
from .contract import CONTRACT, Refusal

Faults = dict[str, list[str]]

_USERNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DNS_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED = re.compile(r'("[^"<>]*"|[^"<>]*?)\s*<(?P<address>[^<>\s]+)>')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"(?P<main>[a-z]+)/[a-z0-9][a-z0-9.+-]*(?:\s*;.*)?")
_ENV_NAME = re.compile(r"(?!\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TEMPLATE_NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?{_PATH_PART}(?:/{_PATH_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_RESERVED = ("stream.space", "kubernetes.io", "k8s.io")
_MOST_RECIPIENTS = 50
_MOST_ENV, _LONGEST_ENV_VALUE, _MOST_LABELS = 100, 8192, 32


def refuse(faults: Faults) -> None:
    if faults:
        raise Refusal("VALIDATION_ERROR", details=faults)


def check_session(options: Mapping[str, Any]) -> None:
    initial = CONTRACT["initialStates"]
    state = options.get("state")
    refuse(
        {
            **({"state": [f"A session is created {' or '.join(initial)}, not {state}"]} if state not in (None, *initial) else {}),
            **_resource_faults(options),
            **_amount_faults("maxSessionDuration", options.get("maxSessionDuration"), amounts.duration),
            **_env_faults(options.get("env") or {}),
            **_label_faults(options.get("labels") or {}),
        }
    )


def check_session_update(updates: Mapping[str, Any]) -> None:
    refuse({**_resource_faults(updates), **_label_faults(updates.get("labels") or {})})


def check_user(given: Mapping[str, Any]) -> None:
    faults: Faults = {}
    if "username" in given and not _USERNAME.fullmatch(given["username"]):
        faults["username"] = ["Must be 1 to 32 lower-case letters, digits and hyphens, with a letter or digit at both ends"]
    if "fullName" in given and not given["fullName"].strip():
        faults["fullName"] = ["Must not be empty"]
    parsers = {"memory": amounts.memory, "storage": amounts.memory, "maxSessionDuration": amounts.duration}
    for name, parse in parsers.items():
        quota = (given.get("quotas") or {}).get(name)
        faults |= _amount_faults(f"quotas.{name}", quota, parse, says="Must be more than nothing")
    refuse(faults)
    email = given.get("email")
    if email is not None and not is_email(email):
        sentence = f"'{email[:100]}' is not an email address such as 'jane@example.com'"
        raise Refusal("INVALID_EMAIL", sentence, {"email": [sentence]})


def check_template(options: Mapping[str, Any]) -> None:
    faults: Faults = {}
    if not _TEMPLATE_NAME.fullmatch(options["name"]):
        faults["name"] = ["Must consist of lower-case letters, digits, '-' and '.', with a letter or digit at both ends"]
    resources = options["defaultResources"]
    faults |= _amount_faults("defaultResources.memory", resources["memory"], amounts.memory)
    faults |= _amount_faults("defaultResources.cpu", resources["cpu"], amounts.cpu)
    seen: set[str] = set()
    for number, port in enumerate(options["ports"]):
        name = port["name"]
        if len(name) > 15 or not _PORT_NAME.fullmatch(name):
            rule = "A port's name has at most 15 lower-case letters, digits and single '-', and at least one letter"
            faults[f"ports.{number}.name"] = [rule]
        elif name in seen:
            faults[f"ports.{number}.name"] = [f"Another port is called '{name}' already"]
        seen.add(name)
    for number, one in enumerate(options.get("env") or ()):
        found = _env_faults({one["name"]: one.get("value") or ""})
        if found:
            faults[f"env.{number}"] = [sentence for sentences in found.values() for sentence in sentences]
    refuse(faults)
    image = options["baseImage"]
    found_image = _IMAGE.fullmatch(image)
    if found_image is None or len(found_image["name"]) > 255:
        rule = "is not an image reference; write it like 'registry.example.com/team/app:1.2', in lower case"
        raise Refusal("INVALID_IMAGE", f"'{image[:200]}' {rule}", {"field": "baseImage"})


def check_email(email: Mapping[str, Any], names: Sequence[str]) -> None:
    """``email`` has lists of addresses, and attachments' contents as bytes; ``names`` are the email templates that there are."""
    faults: Faults = {}
    if ("template" in email) == ("html" in email or "text" in email):
        faults["template"] = ["Give either a template, or html, text or both"]
    if _CONTROL.search(email["subject"]):
        faults["subject"] = ["Must be a single line"]
    if not email["to"]:
        faults["to"] = ["Must have at least one address"]
    if sum(len(email[name]) for name in ("to", "cc", "bcc")) > _MOST_RECIPIENTS:
        faults["to"] = [f"An email goes to at most {_MOST_RECIPIENTS} addresses, to, cc and bcc together"]
    for position, attachment in enumerate(email["attachments"]):
        if _CONTROL.search(attachment["filename"]):
            faults[f"attachments.{position}.filename"] = ["Must be a single line"]
        found = _MEDIA_TYPE.fullmatch(attachment["contentType"].lower())
        if found is None or found["main"] in ("multipart", "message"):
            faults[f"attachments.{position}.contentType"] = ["Must be a media type of one part, such as 'text/plain'"]
    refuse(faults)
    bad = {
        name: [f"'{text[:100]}' is not an address such as 'jane@example.com'" for text in email[name] if not _is_address(text)]
        for name in ("to", "cc", "bcc")
    }
    if any(bad.values()):
        raise Refusal("INVALID_EMAIL_ADDRESS", details={name: sentences for name, sentences in bad.items() if sentences})
    if "template" in email and email["template"] not in names:
        sentence = f"There is no email template '{email['template'][:100]}'; there are: {', '.join(names)}"
        raise Refusal("TEMPLATE_NOT_FOUND", sentence, {"existing": list(names)})


def is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    lengths_fit = bool(at) and len(text) <= 254 and len(local) <= 64 and len(labels) >= 2
    return lengths_fit and bool(_LOCAL_PART.fullmatch(local)) and all(map(_DNS_LABEL.fullmatch, labels))


def session_id(user: str, template: str) -> str:
    """A DNS label: ``john-firefox``; a hash marks what had to be cut."""
    whole = f"{user}-{template}"
    plain = re.sub(r"[^a-z0-9]+", lambda found: found[0] if set(found[0]) == {"-"} else "-", whole.lower()).strip("-")
    if len(plain) <= 63:
        return plain
    return f"{plain[:54].strip('-')}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def _is_address(text: str) -> bool:
    named = _NAMED.fullmatch(text.strip(" "))
    return not _CONTROL.search(text) and is_email(named["address"] if named else text.strip(" "))


def _resource_faults(options: Mapping[str, Any]) -> Faults:
    resources = options.get("resources") or {}
    return {
        **_amount_faults("idleTimeout", options.get("idleTimeout"), amounts.duration, at_least=0),
        **_amount_faults("resources.memory", resources.get("memory"), amounts.memory),
        **_amount_faults("resources.cpu", resources.get("cpu"), amounts.cpu),
    }


def _amount_faults(
    field: str, text: str | None, parse: Callable[[str], int], *, at_least: int = 1, says: str = "Must be more than 0"
) -> Faults:
    if text is None:
        return {}
    try:
        return {} if parse(text) >= at_least else {field: [says]}
    except ValueError as error:
        return {field: [str(error)]}


def _env_faults(env: Mapping[str, str]) -> Faults:
    faults: Faults = {}
    if len(env) > _MOST_ENV:
        faults["env"] = [f"Must not have more than {_MOST_ENV} variables"]
    for name, value in env.items():
        sentences = []
        if not _ENV_NAME.fullmatch(name) or name == ".":
            rule = "letters, digits, '_', '-' and '.', not starting with a digit"
            sentences.append(f"Not a name that an environment variable can have: {rule}")
        if len(value) > _LONGEST_ENV_VALUE:
            sentences.append(f"Must not exceed {_LONGEST_ENV_VALUE} characters")
        if "\0" in value:
            sentences.append("Must not contain a NUL character")
        if sentences:
            faults[f"env.{name}"] = sentences
    return faults


def _label_faults(labels: Mapping[str, str]) -> Faults:
    faults: Faults = {"labels": [f"Must not have more than {_MOST_LABELS} labels"]} if len(labels) > _MOST_LABELS else {}
    for key, value in labels.items():
        sentences = _label_key_faults(key)
        if value and not _LABEL_NAME.fullmatch(value):
            rule = "A label's value has at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
            sentences.append(rule + (f"; this one has {len(value)} characters" if len(value) > 63 else ""))
        if sentences:
            faults[f"labels.{key}"] = sentences
    return faults


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


def listed(addresses: str | Sequence[str] | None) -> list[str]:
    return [addresses] if isinstance(addresses, str) else list(addresses or ())
