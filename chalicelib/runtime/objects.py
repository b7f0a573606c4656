"""Large values: objects in the bucket, which rows of the runtime table point at.

An object belongs to one write and never changes. Whoever is about to make one writes a claim on it first; the transaction that points a
row at it takes the claim away, and one that stops pointing at an object puts a claim in its place. So at every moment, whoever dies, an
object is pointed at or has a claim; a sweep removes objects whose claim is old. A reader that followed a pointer has minutes to read what
it pointed at, also when a writer was faster.
"""

from __future__ import annotations

from pynamodb.exceptions import PynamoDBException

from chalicelib.core import aws, clock, config, ids
from chalicelib.core.tables import condition_failed
from chalicelib.events import UnitOfWork
from chalicelib.runtime.models import RuntimeRow

# A link works for so long; a claim lives longer, so that nobody writes or reads an object that is about to go.
LINK_S = 120
_CLAIM_S = 600
_UNREFERENCED = "UNREFERENCED-OBJECTS"
_SWEPT_AT_ONCE = 500
_DOOMED = "doomed"


def claim(slug: str, size_bytes: int) -> str:
    """The id of an object that is about to be made. One PutItem."""
    object_id = ids.text("obj")
    _claim(slug, object_id, size_bytes).save()
    return object_id


def write(slug: str, object_id: str, content: bytes) -> None:
    aws.client("s3").put_object(Bucket=_bucket(), Key=_path(slug, object_id), Body=content, ContentType="application/json")


def read(slug: str, object_id: str) -> bytes | None:
    """None where it is gone."""
    s3 = aws.client("s3")
    try:
        content: bytes = s3.get_object(Bucket=_bucket(), Key=_path(slug, object_id))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return content


def link_to_read(slug: str, object_id: str) -> str:
    """An address that gives the object's bytes to whoever asks within two minutes."""
    return _link("get_object", Key=_path(slug, object_id))


def link_to_write(slug: str, object_id: str, size_bytes: int) -> str:
    """An address that takes exactly so many bytes by PUT, within two minutes."""
    return _link("put_object", Key=_path(slug, object_id), ContentLength=size_bytes)


def point_at(work: UnitOfWork, slug: str, object_id: str) -> None:
    """Take the claim away with the transaction that points at the object. The transaction fails where the claim is gone."""
    work.delete(RuntimeRow(*key(slug, object_id)), RuntimeRow.pk.exists() & RuntimeRow.body.does_not_exist())


def let_go(work: UnitOfWork, slug: str, object_id: str) -> None:
    """With the transaction that stops pointing at the object."""
    work.save(_claim(slug, object_id, 0))


def is_claim(row: RuntimeRow | None) -> bool:
    """Whether what was read at :func:`key` still keeps its object from being removed."""
    return row is not None and row.body is None


def sweep() -> int:
    """Remove objects that nothing has pointed at for ten minutes; how many. Key condition: gsi1pk, gsi1sk < now."""
    now = f"{int(clock.timestamp()):012d}"
    due = list(RuntimeRow.due.query(_UNREFERENCED, RuntimeRow.gsi1sk < now, limit=_SWEPT_AT_ONCE))
    for row in due:
        _remove(row)
    return len(due)


def delete_all(slug: str) -> None:
    """Remove every object of a plugin, pointed at or not, and every claim."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=_path(slug, "")):
        keys = [{"Key": found["Key"]} for found in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=_bucket(), Delete={"Objects": keys, "Quiet": True})
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(key(slug, "")[0], consistent_read=True):
            batch.delete(row)


def key(slug: str, object_id: str) -> tuple[str, str]:
    """Where the claim on an object is kept."""
    return f"OBJECTS#{slug}", object_id


def _remove(row: RuntimeRow) -> None:
    # Marked first: a transaction that would point at it fails from here on.
    try:
        row.update(actions=[RuntimeRow.body.set(_DOOMED)], condition=RuntimeRow.pk.exists())
    except PynamoDBException as error:
        if not condition_failed(error):
            raise
        return
    aws.client("s3").delete_object(Bucket=_bucket(), Key=_path(row.pk.partition("#")[2], row.sk))
    row.delete()


def _claim(slug: str, object_id: str, size_bytes: int) -> RuntimeRow:
    due = f"{int(clock.timestamp()) + _CLAIM_S:012d}#{slug}#{object_id}"
    return RuntimeRow(*key(slug, object_id), size_bytes=size_bytes, gsi1pk=_UNREFERENCED, gsi1sk=due)


def _link(operation: str, **parameters: object) -> str:
    link: str = aws.client("s3").generate_presigned_url(operation, Params={"Bucket": _bucket(), **parameters}, ExpiresIn=LINK_S)
    return link


def _path(slug: str, object_id: str) -> str:
    return f"storage/{slug}/{object_id}"


def _bucket() -> str:
    return config.setting("PACKAGES_BUCKET")
