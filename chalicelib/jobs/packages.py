"""Packages that come with a request: in it, in base64, or uploaded before it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import plugins
from chalicelib.core import ids, uploads
from chalicelib.core.errors import ValidationError
from chalicelib.jobs import artifacts
from chalicelib.plugins import Package, PackageInvalid


@dataclass(frozen=True)
class Given:
    """``field`` is where the request has it, for what is said about it."""

    field: str
    archive: bytes
    package: Package

    def keep(self) -> dict[str, str]:
        """Put it where its job finds it; what the job's plan says of that."""
        key = f"uploads/{ids.text('upload')}.zip"
        artifacts.put(key, self.archive)
        return {"source": "upload", "upload_key": key}


def is_given(request: Mapping[str, Any]) -> bool:
    return request.get("package") is not None or request.get("upload_id") is not None


def of_request(request: Mapping[str, Any], uploader: str) -> Given:
    """The package of ``package`` or ``upload_id``. Raises ValidationError, PackageInvalid: then the upload is gone, too."""
    if request.get("upload_id") is None:
        try:
            archive = base64.b64decode(request["package"], validate=True)
        except binascii.Error as error:
            raise ValidationError({"package": ["Must be the package's bytes in base64"]}) from error
        return Given("package", archive, plugins.read_package(archive))
    uploaded = uploads.read(uploader, request["upload_id"])
    if uploaded is None:
        # Whether it is somebody else's is not for the caller to learn.
        raise ValidationError({"upload_id": ["There is no such upload of yours: it is not finished, was used, or is older than a day"]})
    try:
        return Given("upload_id", uploaded, plugins.read_package(uploaded))
    except PackageInvalid:
        uploads.remove(uploader, request["upload_id"])
        raise


def forget(request: Mapping[str, Any], uploader: str) -> None:
    """It has served. An upload whose job could not begin stays for another try."""
    if request.get("upload_id") is not None:
        uploads.remove(uploader, request["upload_id"])
