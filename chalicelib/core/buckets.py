"""What lies under a prefix of the packages bucket."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.core import aws, config


def remove_under(prefix: str, *, keeping: Collection[str] = ()) -> int:
    """Remove every object whose key begins with ``prefix`` and is none of ``keeping``; how many. Two calls for each thousand.

    Raises OSError, naming the first, for objects that S3 does not remove; it may be done again.
    """
    s3, bucket = aws.client("s3"), config.setting("PACKAGES_BUCKET")
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [found["Key"] for found in page.get("Contents", []) if found["Key"] not in keeping]
        if keys:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
            # It does not fail for one that it may not remove.
            for fault in answer.get("Errors", []):
                raise OSError(f"S3 did not remove {fault.get('Key')}: {fault.get('Code')}")
            count += len(keys)
    return count
