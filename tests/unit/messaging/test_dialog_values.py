"""Which answers a dialog takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.messaging.dialog import default_buttons, is_same, offered

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_value_is_the_same_as_itself_as_it_travels(value):
    import json

    assert is_same(value, json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (None, False), ("1", 1), ([1], [True]), ({"a": 1}, {"a": 1, "b": 2}), ([1], [1, 2])]
)
def test_values_that_only_look_alike_are_not_the_same(one, other):
    assert not is_same(one, other)
    assert not is_same(other, one)


def test_values_that_json_writes_in_two_ways_are_the_same():
    assert is_same(1, 1.0)
    assert is_same({"a": [1], "b": 2}, {"b": 2.0, "a": [1]})


def test_the_default_buttons_are_ok_and_for_a_confirmation_cancel_too():
    assert default_buttons("info") == default_buttons("error") == [{"label": "OK", "value": True}]
    assert [one["value"] for one in default_buttons("confirm")] == [False, True]


def test_a_dialog_can_always_be_closed_and_else_only_be_answered_with_what_it_offers():
    buttons = [{"label": "A", "value": {"deep": [1]}}]

    assert offered(buttons, None)
    assert offered(buttons, {"deep": [1]})
    assert not offered(buttons, {"deep": [2]})
    assert not offered(buttons, True)
