"""Has the registry this image? Asked of the registries that the administrator names (``ImageRegistries``), and of no others.

Source: OCI Distribution Specification 1.1, "Pulling manifests"; Docker Registry, "Token Authentication Specification".
"""

from __future__ import annotations

import json
import re
import time
from urllib.parse import urlencode

from chalicelib.core import config, outgoing
from chalicelib.core.errors import ServiceUnavailable
from chalicelib.sessions.errors import InvalidImage

_ALL_S = 8.0
_MOST_BYTES = 64 * 1024
_HUB, _HUB_API = "docker.io", "registry-1.docker.io"
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


def must_have(reference: str) -> None:
    """``reference`` is well-formed (``images.check_image``).

    Raises: InvalidImage where its registry is one to be asked and has no such image, or shows it to nobody; ServiceUnavailable where that
    registry gives no answer.
    """
    host, name, version = parts_of(reference)
    asked = {one.strip().lower() for one in config.setting("IMAGE_REGISTRIES", "").split(",") if one.strip()}
    if host not in asked:
        return
    question = _Question(host)
    path = f"/v2/{name}/manifests/{version}"
    status, headers, _ = question.ask("HEAD", question.base + path, {"Accept": _MANIFESTS})
    if status == 401:
        token = question.token(headers.get("www-authenticate", ""), f"repository:{name}:pull")
        if token:
            status, headers, _ = question.ask("HEAD", question.base + path, {"Accept": _MANIFESTS, "Authorization": f"Bearer {token}"})
    if status == 200:
        return
    if status == 404:
        raise InvalidImage(f"{host} has no image '{reference[:200]}'", field="baseImage")
    if status in (401, 403):
        raise InvalidImage(f"{host} does not show '{reference[:200]}': it is private, or not there", field="baseImage")
    raise question.silent(f"it answered {status}")


def parts_of(reference: str) -> tuple[str, str, str]:
    """Registry, repository, and tag or digest. Source: github.com/distribution/reference, ParseDockerRef."""
    rest, at, digest = reference.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, ""
    host, slash, path = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = _HUB, name
    if host in ("index.docker.io", _HUB_API):
        host = _HUB
    if host == _HUB and "/" not in path:
        path = f"library/{path}"
    return host.lower(), path, digest if at else tag or "latest"


class _Question:
    """One question to a registry: a few requests, which together have eight seconds."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._until = time.monotonic() + _ALL_S
        plain = config.is_local() and host.rpartition(":")[0] in ("localhost", "127.0.0.1")
        self.base = f"{'http' if plain else 'https'}://{_HUB_API if host == _HUB else host}"

    def ask(self, method: str, url: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        try:
            answer = outgoing.request(method, url, headers, ends_at=self._until, read_bytes=_MOST_BYTES)
        except outgoing.FAILURES as error:
            raise self.silent("it takes too long" if isinstance(error, outgoing.OutOfTime) else type(error).__name__) from error
        return answer.status, dict(answer.headers), answer.body

    def token(self, challenge: str, scope: str) -> str | None:
        """What the registry's own token service gives to anybody; None where it gives nothing, or there is none that may be asked."""
        scheme, _, rest = challenge.partition(" ")
        told = dict(_PARAMETER.findall(rest))
        realm = told.get("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("https://", self.base + "/")):
            return None
        query = urlencode({**({"service": told["service"]} if "service" in told else {}), "scope": scope})
        status, _, content = self.ask("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", {"Accept": "application/json"})
        if status != 200:
            return None
        try:
            given = json.loads(content)
        except ValueError:
            return None
        token = (given.get("token") or given.get("access_token")) if isinstance(given, dict) else None
        return token if isinstance(token, str) else None

    def silent(self, why: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The registry {self._host} could not be asked for the image ({why}); try again shortly", retry_after_s=10
        )
