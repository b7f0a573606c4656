"""Removing what lies under a prefix, however much that is, and what S3 says no to."""

import pytest

from chalicelib.core import buckets
from chalicelib.core.config import overridden


@pytest.fixture
def bucket(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="things")
    with overridden(PACKAGES_BUCKET="things"):
        yield s3


def keys(s3):
    return sorted(one["Key"] for one in s3.list_objects_v2(Bucket="things").get("Contents", []))


def test_what_lies_under_the_prefix_goes_and_nothing_else(bucket, aws_calls):
    for key in ("a/1", "a/2", "a/keep", "ab/1", "b"):
        bucket.put_object(Bucket="things", Key=key, Body=b"")
    aws_calls.clear()

    assert buckets.remove_under("a/", keeping={"a/keep"}) == 2

    assert aws_calls == ["ListObjectsV2", "DeleteObjects"]
    assert keys(bucket) == ["a/keep", "ab/1", "b"]
    assert buckets.remove_under("a/", keeping={"a/keep"}) == 0


def test_more_than_a_page_goes_too(bucket):
    for number in range(1_003):
        bucket.put_object(Bucket="things", Key=f"a/{number:04d}", Body=b"")

    assert buckets.remove_under("a/") == 1_003
    assert keys(bucket) == []


def test_an_object_that_is_not_removed_is_told(bucket, monkeypatch):
    bucket.put_object(Bucket="things", Key="a/1", Body=b"")
    monkeypatch.setattr(bucket, "delete_objects", lambda **_: {"Errors": [{"Key": "a/1", "Code": "AccessDenied"}]})

    with pytest.raises(OSError, match="a/1: AccessDenied"):
        buckets.remove_under("a/")
