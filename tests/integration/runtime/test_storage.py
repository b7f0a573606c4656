"""Each plugin's own key-value storage."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynamodb.exceptions import PynamoDBException

from chalicelib.core import clock, uploads
from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import encode_cursor
from chalicelib.core.tables import connection
from chalicelib.events import unit_of_work
from chalicelib.runtime import holdings, limits, objects, storage, usage
from chalicelib.runtime.errors import StorageQuotaExceeded, ValueTooLarge
from chalicelib.runtime.models import RuntimeRow

pytestmark = pytest.mark.usefixtures("bucket")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
slowly = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slowly
@given(KEYS, JSON)
def test_a_value_comes_back_as_it_was_put_under_any_key(aws, key, value):
    storage.put("keeper", key, value)

    assert storage.get("keeper", key) == value


@pytest.mark.parametrize("key", ["a/b", "a:b", "100%", "%2F", "ключ", "🔑", " ", ".", "..", "k" * 512])
def test_keys_of_all_kinds_are_kept_apart_and_listed_as_they_are(key):
    storage.put("keeper", key, 1)
    storage.put("keeper", key[:-1] + "_", 2)

    assert storage.get("keeper", key) == 1
    assert key in storage.keys("keeper")[0]


def test_half_of_a_surrogate_pair_which_javascript_can_send_is_kept():
    storage.put("keeper", "emoji", {"cut": "\ud83d"})

    assert storage.get("keeper", "emoji") == {"cut": "\ud83d"}


def test_a_missing_key_is_none_and_deleting_it_is_fine():
    assert storage.get("keeper", "nothing") is None

    storage.delete("keeper", "nothing")

    storage.put("keeper", "nothing", 1)
    storage.delete("keeper", "nothing")
    assert storage.get("keeper", "nothing") is None


def test_plugins_do_not_see_each_others_keys():
    storage.put("a", "key", "of a")
    storage.put("a-b", "key", "of a-b")

    assert storage.get("a", "key") == "of a"
    assert storage.get("b", "key") is None
    assert storage.keys("b") == ([], None)
    assert storage.clear("a") == (1, True)
    assert storage.get("a-b", "key") == "of a-b"


@pytest.fixture
def bucket(aws, monkeypatch):
    aws.client("s3").create_bucket(Bucket="test-packages")
    monkeypatch.setenv("STREAMSPACE_PACKAGES_BUCKET", "test-packages")
    return lambda: sorted(found["Key"] for found in aws.client("s3").list_objects_v2(Bucket="test-packages").get("Contents", []))


def text_of(size_bytes):
    """A value whose JSON has so many bytes."""
    return "x" * (size_bytes - 2)


def used(slug="keeper"):
    allowance, _ = usage.read(slug)
    return allowance.used_bytes, allowance.used_entries


def allow(slug="keeper", **administered):
    with unit_of_work() as work:
        limits.put(work, slug, administered)


@pytest.mark.parametrize("size_bytes", [storage.LARGEST_INLINE_BYTES, storage.LARGEST_INLINE_BYTES + 1, storage.LARGEST_VALUE_BYTES])
def test_a_value_of_any_size_up_to_the_limit_comes_back_as_it_was(bucket, size_bytes):
    storage.put("keeper", "k" * storage.LONGEST_KEY_BYTES, text_of(size_bytes))

    assert storage.get("keeper", "k" * storage.LONGEST_KEY_BYTES) == text_of(size_bytes)
    assert len(bucket()) == (size_bytes > storage.LARGEST_INLINE_BYTES)


def test_a_value_beyond_the_limit_is_refused_with_both_numbers_and_changes_nothing(bucket):
    storage.put("keeper", "k", 1)

    with pytest.raises(ValueTooLarge) as refused:
        storage.put("keeper", "k", text_of(storage.LARGEST_VALUE_BYTES + 1))

    assert refused.value.details == {"size_bytes": storage.LARGEST_VALUE_BYTES + 1, "limit_bytes": storage.LARGEST_VALUE_BYTES}
    assert storage.get("keeper", "k") == 1
    assert bucket() == []


def test_a_large_value_that_was_replaced_or_deleted_can_be_read_for_minutes_more_and_then_its_object_goes(bucket):
    storage.put("keeper", "k", text_of(500_000))
    (first,) = bucket()
    storage.put("keeper", "k", text_of(600_000))
    storage.delete("keeper", "k")

    assert objects.sweep() == 0
    assert len(bucket()) == 2
    assert first in bucket()

    with clock.travel(3600):
        assert objects.sweep() == 2
        assert objects.sweep() == 0
    assert bucket() == []


def test_the_sweep_leaves_what_is_pointed_at(bucket):
    storage.put("keeper", "k", text_of(500_000))

    with clock.travel(3600):
        assert objects.sweep() == 0
    assert storage.get("keeper", "k") == text_of(500_000)


@pytest.mark.parametrize("dies_in", ["PutObject", "TransactWriteItems"])
def test_a_writer_that_dies_leaves_the_old_value_and_no_object_for_ever(aws, bucket, dies_in):
    storage.put("keeper", "k", "old")
    before = used()

    with refused(aws, dies_in), pytest.raises((ClientError, PynamoDBException)):
        storage.put("keeper", "k", text_of(500_000))

    assert storage.get("keeper", "k") == "old"
    assert used() == before
    with clock.travel(3600):
        assert objects.sweep() == 1
    assert bucket() == []
    assert not list(RuntimeRow.query("OBJECTS#keeper"))


def test_a_sweep_that_dies_goes_on_the_next_time(aws, bucket):
    storage.put("keeper", "k", text_of(500_000))
    storage.delete("keeper", "k")

    with clock.travel(3600):
        with refused(aws, "DeleteObject"), pytest.raises((ClientError, PynamoDBException)):
            objects.sweep()
        assert objects.sweep() == 1

    assert bucket() == []
    assert not list(RuntimeRow.query("OBJECTS#keeper"))


def test_a_reader_whose_object_is_gone_reads_the_row_again(aws, bucket):
    """It was held up for minutes between the two."""
    storage.put("keeper", "k", text_of(500_000))
    (old,) = bucket()
    s3 = aws.client("s3")

    def meanwhile(**_):
        s3.meta.events.unregister("before-call.s3.GetObject", meanwhile)
        storage.put("keeper", "k", "new")
        s3.delete_object(Bucket="test-packages", Key=old)

    s3.meta.events.register("before-call.s3.GetObject", meanwhile)

    assert storage.get("keeper", "k") == "new"


def test_an_upload_becomes_the_keys_value(bucket):
    text = json.dumps(text_of(3_000_000)).encode()
    upload = uploads.begin("keeper", len(text))
    assert requests.put(upload.url, data=text, timeout=5).status_code == 200

    for _ in range(2):
        storage.put_uploaded("keeper", "k", upload.id)

    stored = storage.find("keeper", "k")
    assert stored.value == text_of(3_000_000)
    assert used() == (3_000_001, 1)
    assert requests.get(objects.link_to_read("keeper", stored.object_id), timeout=5).content == text


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "Nothing was uploaded"), (b'{"a":', "not valid JSON"), (b"NaN", "not valid JSON")]
)
def test_an_upload_that_is_none_is_refused(bucket, content, sentence):
    upload = uploads.begin("keeper", 3)
    if content is not None:
        requests.put(upload.url, data=content, timeout=5)

    with pytest.raises(ValidationError) as failed:
        storage.put_uploaded("keeper", "k", upload.id)

    assert sentence in failed.value.details["upload_id"][0]
    assert storage.get("keeper", "k") is None


def test_an_upload_that_is_anothers_or_too_large_is_refused(bucket):
    upload = uploads.begin("keeper", storage.LARGEST_VALUE_BYTES + 1)
    requests.put(upload.url, data=json.dumps(text_of(storage.LARGEST_VALUE_BYTES + 1)), timeout=5)

    with pytest.raises(ValidationError):
        storage.put_uploaded("stranger", "k", upload.id)
    with pytest.raises(ValueTooLarge):
        storage.put_uploaded("keeper", "k", upload.id)


def test_what_is_used_is_keys_and_values_and_what_goes_is_given_back(bucket):
    storage.put("keeper", "ab", "cd")
    assert used() == (6, 1)
    storage.put("keeper", "ab", text_of(500_000))
    storage.put("keeper", "é", None)
    assert used() == (500_008, 2)
    storage.delete("keeper", "é")
    assert used() == (500_002, 1)
    storage.put("keeper", "ab", 1)
    assert used() == (3, 1)
    storage.clear("keeper")
    assert used() == (0, 0)


def test_a_full_storage_refuses_more_with_the_numbers_and_takes_what_does_not_grow():
    allow(storage_bytes=100, storage_keys=2)
    storage.put("keeper", "a", text_of(90))

    with pytest.raises(StorageQuotaExceeded) as full:
        storage.put("keeper", "b", text_of(10))

    assert full.value.details == {"used_bytes": 91, "allowed_bytes": 100, "used_keys": 1, "allowed_keys": 2}
    storage.put("keeper", "b", 1)
    with pytest.raises(StorageQuotaExceeded, match="2 of 2 keys"):
        storage.put("keeper", "c", 1)
    storage.put("keeper", "a", text_of(80))
    allow(storage_bytes=0)
    storage.put("keeper", "a", text_of(79))
    storage.delete("keeper", "b")
    assert used() == (80, 1)


def test_racing_writers_never_exceed_the_quota_and_the_count_is_exact():
    allow(storage_keys=10)

    def write(number):
        try:
            storage.put("keeper", f"k{number}", number)
        except StorageQuotaExceeded:
            return 0
        return 1

    with ThreadPoolExecutor(16) as pool:
        written = sum(pool.map(write, range(40)))

    assert written == len(storage.keys("keeper")[0]) == used()[1] == 10


def test_of_racing_writers_of_one_key_one_wins_whole_and_the_count_is_exact(bucket):
    values = [[number] * (10 + 40_000 * (number % 3 == 0)) for number in range(12)]

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda value: storage.put("keeper", "k", value), values))
        read = list(pool.map(lambda _: storage.get("keeper", "k"), range(12)))

    assert all(value in values for value in read)
    assert used() == (1 + len(storage.encoded(storage.get("keeper", "k"))), 1)
    with clock.travel(3600):
        objects.sweep()
    assert len(bucket()) == isinstance(storage.find("keeper", "k").object_id, str)


@pytest.mark.parametrize("key", ["", "k" * 513, "é" * 257])
def test_a_key_of_no_or_too_many_bytes_is_refused(key):
    for act in (lambda: storage.get("keeper", key), lambda: storage.put("keeper", key, 1), lambda: storage.delete("keeper", key)):
        with pytest.raises(ValidationError):
            act()


@slowly
@given(st.lists(st.text("aé/", min_size=1, max_size=4), max_size=8), st.text("aé/", max_size=2))
def test_a_prefix_chooses_the_keys_that_start_with_it(aws, keys, prefix):
    storage.clear("keeper")
    for key in keys:
        storage.put("keeper", key, 1)

    assert storage.keys("keeper", prefix)[0] == sorted((key for key in set(keys) if key.startswith(prefix)), key=str.encode)


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor({"pk": "STORAGE#other", "sk": "a"}),
        encode_cursor({"pk": "DEAD#keeper", "sk": "a"}),
        encode_cursor({"pk": "STORAGE#keeper", "sk": 5}),
        encode_cursor({"pk": "STORAGE#keeper"}),
        encode_cursor({"pk": "STORAGE#keeper", "sk": ""}),
        encode_cursor({"pk": "STORAGE#keeper", "sk": "a", "more": "b"}),
        encode_cursor({"pk": "STORAGE#keeper", "sk": "outside"}),
        "nonsense",
        "é",
    ],
)
def test_a_cursor_that_was_not_given_out_for_this_list_is_refused(cursor):
    with pytest.raises(ValidationError) as refused:
        storage.keys("keeper", "a", cursor)

    assert "cursor" in refused.value.details


def test_keys_that_are_there_all_the_time_are_listed_in_order_while_others_come_and_go():
    with RuntimeRow.batch_write() as batch:
        for number in range(0, 10_050):
            batch.save(RuntimeRow("STORAGE#keeper", f"k{number:05d}", value="1", size_bytes=7))
    storage.put("keeper", "other", 1)
    found, cursor = [], None
    while True:
        keys, cursor = storage.keys("keeper", "k", cursor)
        assert len(keys) <= 5000
        found += keys
        if cursor is None:
            break
        # moto copies the table for each transaction; to the list it makes no difference.
        RuntimeRow("STORAGE#keeper", f"k{len(found) - 500:05d}x", value="1").save()
        RuntimeRow("STORAGE#keeper", f"k{len(found) + 200:05d}x", value="1").save()

    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert {key for key in found if not key.endswith("x")} == {f"k{number:05d}" for number in range(10_050)}


def test_a_page_of_keys_with_large_values_is_one_call(aws_calls):
    for number in range(8):
        storage.put("keeper", f"k{number}", text_of(390_000))
    aws_calls.clear()

    keys, cursor = storage.keys("keeper")

    assert aws_calls == ["Query"]
    assert cursor is None or len(keys) < 8


def test_a_prefix_longer_than_any_key_finds_nothing():
    assert storage.keys("keeper", "x" * 5000) == ([], None)


def test_clearing_is_safe_to_repeat_and_says_how_many_went():
    for number in range(30):
        storage.put("keeper", f"k{number}", number)

    assert storage.clear("keeper") == (30, True)
    assert storage.clear("keeper") == (0, True)
    assert storage.is_empty("keeper")


def test_clearing_stops_in_time_and_goes_on_when_it_is_asked_again():
    for number in range(5):
        storage.put("keeper", f"k{number}", number)

    assert storage.clear("keeper", patience_s=-1) == (0, False)
    assert storage.clear("keeper") == (5, True)
    assert used() == (0, 0)


def test_clearing_while_the_plugin_writes_removes_what_was_there_and_counts_the_rest():
    for number in range(60):
        storage.put("keeper", f"k{number:02d}", number)

    with ThreadPoolExecutor(4) as pool:
        cleared = pool.submit(storage.clear, "keeper")
        for number in range(0, 60, 7):
            storage.put("keeper", f"k{number:02d}", "again")
        assert cleared.result()[1]

    left = storage.keys("keeper")[0]
    assert used() == (sum(3 + 7 for _ in left), len(left))
    assert all(storage.get("keeper", key) == "again" for key in left)


@pytest.mark.usefixtures("bucket")
def test_what_was_taken_out_of_a_storage_can_be_put_back_in_the_place_of_what_is_there():
    storage.put("keeper", "a", {"é": [1]})
    storage.put("keeper", "b", text_of(500_000))
    for number in range(120):
        storage.put("keeper", f"k{number}", number)
    taken = list(storage.everything("keeper"))
    before = used()
    storage.put("keeper", "a", 2)
    storage.put("keeper", "new", text_of(500_000))
    allow(storage_bytes=10)

    assert [storage.load("keeper", taken) for _ in range(2)] == [122, 122]

    assert list(storage.everything("keeper")) == taken
    assert used() == before


def test_forgetting_a_plugin_keeps_its_data_only_where_asked(bucket):
    storage.put("keeper", "k", 1)
    storage.put("keeper", "large", text_of(500_000))
    storage.put("keeper-of-more", "large", text_of(500_000))
    objects.make("keeper", b"1")
    for pk in ("ATTEMPTS#keeper", "DEAD#keeper", "RESOURCES#keeper"):
        RuntimeRow(pk, "x", body="{}").save()

    holdings.forget("keeper", keep_data=True)

    assert storage.get("keeper", "k") == 1
    assert holdings.are_kept("keeper")
    assert all(not list(RuntimeRow.query(pk)) for pk in ("ATTEMPTS#keeper", "DEAD#keeper", "RESOURCES#keeper"))
    for _ in range(2):
        holdings.forget("keeper")
    assert not holdings.are_kept("keeper")
    assert {row.pk for row in RuntimeRow.scan()} == {"STORAGE#keeper-of-more", "USAGE#keeper-of-more"}
    assert len(bucket()) == 1


class refused:
    """Inside, AWS refuses an operation."""

    def __init__(self, aws, operation):
        self._clients = [aws.client("s3"), connection().client]
        self._operation = operation

    def __enter__(self):
        for client in self._clients:
            client.meta.events.register_first("before-call", self._refuse)

    def __exit__(self, *_):
        for client in self._clients:
            client.meta.events.unregister("before-call", self._refuse)

    def _refuse(self, model, **_):
        if model.name != self._operation:
            return None
        return AWSResponse("http://aws", 403, {}, None), {
            "Error": {"Code": "AccessDenied", "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
