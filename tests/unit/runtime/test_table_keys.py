"""Keys of tables as places whose byte order is theirs, and conditions as ranges of places."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.core.errors import ValidationError
from chalicelib.runtime.table_keys import Key, Shape, bounds, part

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\U0010ffff"), max_size=8) | st.text("\x00\x01\x02\x03ab", max_size=4)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = TEXTS | NUMBERS
VISITS = Shape("visits", Key("user", "at"), {"by_at": Key("at"), "by_site": Key("site", "at")})
COMPARE = {
    "eq": lambda value, to: value == to,
    "lt": lambda value, to: value < to,
    "lte": lambda value, to: value <= to,
    "gt": lambda value, to: value > to,
    "gte": lambda value, to: value >= to,
}


def order(value):
    return (0, value) if not isinstance(value, str) else (1, value.encode())


@given(VALUES, VALUES)
def test_places_are_ordered_as_their_values_are_numbers_before_texts(one, other):
    assert (part(one, "") < part(other, "")) == (order(one) < order(other))
    assert (part(one, "") == part(other, "")) == (order(one) == order(other))


@given(st.tuples(VALUES, VALUES), st.tuples(VALUES, VALUES))
def test_two_keys_have_one_place_only_when_they_are_equal_part_for_part(one, other):
    places = [VISITS.place_of({"user": user, "at": at}) for user, at in (one, other)]

    assert (places[0] == places[1]) == (list(map(order, one)) == list(map(order, other)))


@given(VALUES, VALUES, st.sampled_from(sorted(COMPARE)), VALUES, st.sampled_from(["", "0123456789abcdef0123"]))
def test_a_range_holds_just_the_places_whose_sort_attribute_compares_so(user, at, comparison, to, ending):
    """The ending is what tells an index's items of one key apart."""
    low, high = bounds(VISITS.key, {"user": user, "at": {comparison: to}})

    place = (part(user, "") + part(at, "") + ending).encode()

    same_kind = isinstance(at, str) == isinstance(to, str)
    assert (low.encode() <= place <= high.encode()) == (same_kind and COMPARE[comparison](order(at), order(to)))


@given(VALUES, VALUES, VALUES)
def test_a_whole_partition_holds_its_own_items_and_no_others(user, other, at):
    low, high = bounds(VISITS.key, {"user": user})

    assert low <= VISITS.place_of({"user": user, "at": at}) <= high
    assume(order(user) != order(other))
    assert not low.encode() <= VISITS.place_of({"user": other, "at": at}).encode() <= high.encode()


@given(TEXTS, TEXTS)
def test_a_beginning_holds_just_the_texts_that_begin_so(at, prefix):
    low, high = bounds(VISITS.key, {"user": 1, "at": {"beginsWith": prefix}})

    assert (low.encode() <= VISITS.place_of({"user": 1, "at": at}).encode() <= high.encode()) == at.startswith(prefix)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_between_includes_both_ends_and_comparisons_can_be_put_together(at, one, other):
    place = VISITS.place_of({"user": 1, "at": at})
    between = bounds(VISITS.key, {"user": 1, "at": {"between": [one, other]}})
    both = bounds(VISITS.key, {"user": 1, "at": {"gte": one, "lt": other}})

    assert (between[0] <= place <= between[1]) == (one <= at <= other)
    assert (both[0] <= place <= both[1]) == (one <= at < other)


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ({"at": 1}, "where"),
        ({"user": 1, "colour": 2}, "where"),
        ({"user": {"gt": 1}}, "where.user"),
        ({"user": None}, "where.user"),
        ({"user": True}, "where.user"),
        ({"user": 2**53 + 1}, "where.user"),
        ({"user": "x" * 500}, "where.user"),
        ({"user": 1, "at": {}}, "where.at"),
        ({"user": 1, "at": {"near": 1}}, "where.at"),
        ({"user": 1, "at": {"gt": 1, "lt": "a"}}, "where.at"),
        ({"user": 1, "at": {"between": [1]}}, "where.at.between"),
        ({"user": 1, "at": {"beginsWith": 1}}, "where.at.beginsWith"),
        ({"user": 1, "at": [1, 2]}, "where.at.eq"),
    ],
)
def test_a_condition_that_is_none_is_refused_at_its_field(where, field):
    with pytest.raises(ValidationError) as refused:
        bounds(VISITS.key, where)

    assert list(refused.value.details) == [field]


def test_the_index_that_fits_is_found_and_a_condition_that_none_fits_is_told_the_ways():
    assert VISITS.fitting({}, None) == (None, VISITS.key)
    assert VISITS.fitting({"user": 1, "at": 2}, None) == (None, VISITS.key)
    assert VISITS.fitting({"at": 2}, None)[0] == "by_at"
    assert VISITS.fitting({"at": 2, "site": 1}, None)[0] == "by_site"
    assert VISITS.fitting({}, "by_site")[0] == "by_site"
    with pytest.raises(ValidationError, match="invalid") as refused:
        VISITS.fitting({"colour": 1}, None)
    assert "'user' and 'at'; 'at'; 'site' and 'at'" in refused.value.details["where"][0]
    with pytest.raises(ValidationError):
        VISITS.fitting({}, "by_colour")


def test_an_item_is_in_an_index_only_with_a_number_or_text_in_each_of_its_attributes():
    assert set(VISITS.index_places({"at": 1, "site": "a"}, "p")) == {"by_at", "by_site"}
    assert set(VISITS.index_places({"at": 1, "site": None}, "p")) == {"by_at"}
    assert VISITS.index_places({"site": "a"}, "p") == {}
    assert VISITS.index_places({"at": 1}, "p") != VISITS.index_places({"at": 1}, "q")


@pytest.mark.parametrize("key", ["a", 1, {"user": "a"}, {"user": "a", "at": 1, "more": 1}, {"user": "a", "at": None}, None, [], True])
def test_a_key_of_another_shape_is_refused(key):
    with pytest.raises(ValidationError):
        VISITS.place_of(key)


def test_a_table_with_one_key_attribute_takes_its_value_or_an_object():
    plain = Shape("t", Key("id"))

    assert plain.place_of("a") == plain.place_of({"id": "a"}) == plain.place_of_item({"id": "a", "n": 1})
    with pytest.raises(ValidationError):
        plain.place_of_item({"n": 1})


def test_a_shape_survives_being_written_down():
    assert Shape.from_json(VISITS.as_json()) == VISITS
