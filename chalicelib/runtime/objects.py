"""Large values: objects in the bucket, which rows of the runtime table point at.

An object belongs to one write and never changes. Whoever is about to make one writes a claim on it first; the transaction that points a
row at it takes the claim away, and one that stops pointing at an object puts a claim in its place. So at every moment, whoever dies, an
object is pointed at or has a claim; a sweep removes objects whose claim is old. A reader that followed a pointer has minutes to read what
it pointed at, also when a writer was faster.
"""

from __future__ import annotations

from pynamodb.exceptions import PynamoDBException

from chalicelib.core import aws, buckets, clock, config, ids
from chalicelib.core.tables import condition_failed
from chalicelib.events import UnitOfWork
from chalicelib.runtime.models import RuntimeRow

# A link works for so long; a claim lives longer, so that nobody reads an object that is about to go.
_LINK_S = 120
_CLAIM_S = 600
_UNREFERENCED = "UNREFERENCED-OBJECTS"
_SWEPT_AT_ONCE = 500
_DOOMED = "doomed"


def make(slug: str, content: bytes) -> str:
    """The id of a new object, which a transaction must point at within ten minutes. One PutItem and one PutObject."""
    object_id = ids.text("obj")
    _claim(slug, object_id).save()
    aws.client("s3").put_object(Bucket=_bucket(), Key=_path(slug, object_id), Body=content, ContentType="application/json")
    return object_id


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
    link: str = aws.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": _bucket(), "Key": _path(slug, object_id)}, ExpiresIn=_LINK_S
    )
    return link


def point_at(work: UnitOfWork, slug: str, object_id: str) -> None:
    """Take the claim away with the transaction that points at the object. The transaction fails where the claim is gone."""
    work.delete(RuntimeRow(*_key(slug, object_id)), RuntimeRow.pk.exists() & RuntimeRow.body.does_not_exist())


def let_go(work: UnitOfWork, slug: str, object_id: str) -> None:
    """With the transaction that stops pointing at the object."""
    work.save(_claim(slug, object_id))


def sweep() -> int:
    """Remove objects that nothing has pointed at for ten minutes; how many. Key condition: gsi1pk, gsi1sk < now."""
    now = f"{int(clock.timestamp()):012d}"
    due = list(RuntimeRow.due.query(_UNREFERENCED, RuntimeRow.gsi1sk < now, limit=_SWEPT_AT_ONCE))
    for row in due:
        _remove(row)
    return len(due)


def delete_all(slug: str) -> None:
    """Remove every object of a plugin, pointed at or not, and every claim."""
    buckets.remove_under(_path(slug, ""))
    with RuntimeRow.batch_write() as batch:
        for row in RuntimeRow.query(_key(slug, "")[0], consistent_read=True):
            batch.delete(row)


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


def _claim(slug: str, object_id: str) -> RuntimeRow:
    due = f"{int(clock.timestamp()) + _CLAIM_S:012d}#{slug}#{object_id}"
    return RuntimeRow(*_key(slug, object_id), gsi1pk=_UNREFERENCED, gsi1sk=due)


def _key(slug: str, object_id: str) -> tuple[str, str]:
    return f"OBJECTS#{slug}", object_id


def _path(slug: str, object_id: str) -> str:
    return f"storage/{slug}/{object_id}"


def _bucket() -> str:
    return config.setting("PACKAGES_BUCKET")
