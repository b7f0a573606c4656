"""What is too large for a request: put into the packages bucket first, by a signed URL, and named in the request that is about it.

A request to a Lambda function has at most 6 MB, and JSON carries bytes as a third more. S3 itself holds an upload to the size that was
announced, and removes it after a day (the bucket's lifecycle rule), whether or not it was used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core import aws, clock, ids
from chalicelib.core.config import setting

LARGEST_BYTES = 8 * 1024 * 1024  # of an attachment
_VALID_FOR = timedelta(minutes=10)
_ID = re.compile(r"upload_[0-9a-z]{20}")


@dataclass(frozen=True)
class Upload:
    """Send the bytes to ``url`` with ``method`` and these ``headers``, and without a token of ours, before ``expires_at``."""

    id: str
    url: str
    method: str
    headers: dict[str, str]
    expires_at: datetime


def begin(owner: str, size_bytes: int) -> Upload:
    """A place for exactly ``size_bytes`` that only ``owner`` can :func:`read`. Calls nothing on AWS."""
    upload_id = ids.text("upload")
    url = aws.client("s3").generate_presigned_url(
        "put_object",
        Params={"Bucket": setting("PACKAGES_BUCKET"), "Key": _key(owner, upload_id), "ContentLength": size_bytes},
        ExpiresIn=int(_VALID_FOR.total_seconds()),
    )
    return Upload(upload_id, url, "PUT", {"Content-Length": str(size_bytes)}, clock.now() + _VALID_FOR)


def read(owner: str, upload_id: str) -> bytes | None:
    """What was uploaded; None when there is no such upload, or it is another's. One call."""
    if _ID.fullmatch(upload_id) is None:
        return None
    s3 = aws.client("s3")
    try:
        found: bytes = s3.get_object(Bucket=setting("PACKAGES_BUCKET"), Key=_key(owner, upload_id))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return found


def remove(owner: str, upload_id: str) -> None:
    """What was uploaded has served, or is of no use. One call; gone already is fine."""
    if _ID.fullmatch(upload_id) is not None:
        aws.client("s3").delete_object(Bucket=setting("PACKAGES_BUCKET"), Key=_key(owner, upload_id))


def _key(owner: str, upload_id: str) -> str:
    return f"uploads/{owner}/{upload_id}"
