"""What jobs keep in the packages bucket: packages, code bundles, uploads and backups."""

from __future__ import annotations

from typing import IO, Any

from chalicelib.core import aws, config


def package_key(slug: str, version: str) -> str:
    return f"packages/{slug}/{version}.zip"


def code_key(slug: str, version: str) -> str:
    return f"code/{slug}/{version}.zip"


def put(key: str, content: bytes | IO[bytes], content_type: str = "application/zip") -> None:
    aws.client("s3").put_object(Bucket=_bucket(), Key=key, Body=content, ContentType=content_type)


def get(key: str) -> bytes:
    return aws.client("s3").get_object(Bucket=_bucket(), Key=key)["Body"].read()


def copy_to(key: str, file: IO[bytes]) -> None:
    """The object's bytes, in pieces; the file is then at its start."""
    for piece in aws.client("s3").get_object(Bucket=_bucket(), Key=key)["Body"].iter_chunks(1024 * 1024):
        file.write(piece)
    file.seek(0)


def exists(key: str) -> bool:
    """One call."""
    return any(one["Key"] == key for one in list_under(key))


def list_under(prefix: str) -> list[dict[str, Any]]:
    """The objects under ``prefix``, as S3 lists them, by key."""
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=prefix)
    return [found for page in pages for found in page.get("Contents", [])]


def delete(key: str) -> None:
    """Deleting what is not there is a success, in S3 as here."""
    aws.client("s3").delete_object(Bucket=_bucket(), Key=key)


def _bucket() -> str:
    return config.setting("PACKAGES_BUCKET")
