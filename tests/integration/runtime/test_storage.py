"""Each plugin's own key-value storage."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import ValidationError
from chalicelib.core.pagination import encode_cursor
from chalicelib.runtime import storage
from chalicelib.runtime.errors import ValueTooLarge
from chalicelib.runtime.models import RuntimeRow

pytestmark = pytest.mark.usefixtures("aws")

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
    assert storage.clear("a") == 1
    assert storage.get("a-b", "key") == "of a-b"


def test_a_value_up_to_the_limit_is_stored_and_one_beyond_it_is_refused_and_changes_nothing():
    most = "x" * (storage.LONGEST_VALUE_BYTES - 2)
    storage.put("keeper", "large", most)

    with pytest.raises(ValueTooLarge) as refused:
        storage.put("keeper", "large", most + "x")

    assert refused.value.details == {"limit_bytes": storage.LONGEST_VALUE_BYTES}
    assert storage.get("keeper", "large") == most


@pytest.mark.parametrize("key", ["", "k" * 513, "é" * 257])
def test_a_key_of_no_or_too_many_bytes_is_refused(key):
    for act in (lambda: storage.get("keeper", key), lambda: storage.put("keeper", key, 1), lambda: storage.delete("keeper", key)):
        with pytest.raises(ValidationError):
            act()


def test_a_list_of_more_than_a_page_is_complete_and_in_order():
    with RuntimeRow.batch_write() as batch:
        for number in range(2300):
            batch.save(RuntimeRow("STORAGE#keeper", f"k{number:05d}", body="1"))
    storage.put("keeper", "other", 1)

    pages, cursor = [], None
    while True:
        keys, cursor = storage.keys("keeper", "k", cursor)
        pages.append(keys)
        if cursor is None:
            break

    assert [key for keys in pages for key in keys] == [f"k{number:05d}" for number in range(2300)]
    assert max(map(len, pages)) <= 1000


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


def test_a_prefix_longer_than_any_key_finds_nothing():
    assert storage.keys("keeper", "x" * 5000) == ([], None)


def test_clearing_is_safe_to_repeat_and_says_how_many_went():
    for number in range(30):
        storage.put("keeper", f"k{number}", number)

    assert storage.clear("keeper") == 30
    assert storage.clear("keeper") == 0
    assert storage.is_empty("keeper")


def test_forgetting_a_plugin_keeps_its_data_only_where_asked():
    storage.put("keeper", "k", 1)
    for pk in ("ATTEMPTS#keeper", "DEAD#keeper", "RESOURCES#keeper"):
        RuntimeRow(pk, "x", body="{}").save()

    storage.forget("keeper", keep_data=True)

    assert storage.dump("keeper") == {"k": 1}
    assert all(not list(RuntimeRow.query(pk)) for pk in ("ATTEMPTS#keeper", "DEAD#keeper", "RESOURCES#keeper"))
    assert storage.forget("keeper") == 1
    assert storage.is_empty("keeper")
