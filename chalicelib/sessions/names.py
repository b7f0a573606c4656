"""Names that Kubernetes and DNS take, made from names that people gave.

Every name here is a DNS label: 1 to 63 of ``a-z 0-9 -``, with a letter or digit at both ends. It reads like what it was made from, and
has a short hash where it is not exactly that. Source: RFC 1123 §2.1; Kubernetes, "Object Names and IDs".
"""

import hashlib
import re

LONGEST = 63
_HASH_LENGTH = 8
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def slug(text: str) -> str:
    """``text`` in the letters of a DNS label, of any length; empty when it has none of them. Single hyphens stay as they are."""
    return _NOT_ALLOWED.sub(lambda found: found[0] if set(found[0]) == {"-"} else "-", text.lower()).strip("-")


def shortened(text: str, longest: int = LONGEST) -> str:
    """A label as it is where it fits; else its beginning, and a hash of the whole."""
    return text if len(text) <= longest else _marked(text[:longest], text, longest)


def session_id(user: str, template: str) -> str:
    """``john-firefox`` for John's session of ``firefox``. Two pairs may have one id: whoever comes second takes :func:`suffixed`."""
    whole = f"{user}-{template}"
    plain = slug(whole)
    return shortened(plain) if plain else _marked("session", whole)


def suffixed(name: str, suffix: str) -> str:
    """``john-firefox-x7k2p``: the name with ``suffix`` at its end, which is never cut."""
    return f"{name[: LONGEST - len(suffix) - 1].rstrip('-')}-{suffix}"


def exact(text: str, prefix: str) -> str:
    """``{prefix}-{text}``, different for different texts: a hash follows wherever something of the text was lost."""
    plain = slug(text)
    whole = f"{prefix}-{plain}"
    return whole if plain and plain == text and len(whole) <= LONGEST else _marked(whole, text)


def home_claim(username: str) -> str:
    """The name of the volume claim with the user's home. Two users never share one."""
    return exact(username, "home")


def objects_of(session: str) -> str:
    """The name of a session's pod, service and ingress. It starts with a letter, as a service's must (RFC 1035)."""
    return exact(session, "ss")


def label_value(text: str) -> str:
    """``text`` itself where Kubernetes takes it as a label's value; else a label that is different for different texts."""
    return text if _LABEL_VALUE.fullmatch(text) else _marked(slug(text), text)


def _marked(readable: str, whole: str, longest: int = LONGEST) -> str:
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    begin = readable[: longest - _HASH_LENGTH - 1].strip("-")
    return f"{begin}-{mark}" if begin else mark
