import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import strict_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ANY_TEXT = st.text(st.characters(codec=None))


@given(JSON)
def test_what_is_json_is_read_as_it_is(value):
    assert strict_json.read(json.dumps(value).encode()) == value


@given(ANY_TEXT)
def test_whatever_a_text_holds_it_can_be_written_as_utf_8_afterwards(text):
    read = strict_json.read(json.dumps({text: [text]}).encode())

    assert json.dumps(read, ensure_ascii=False).encode()


def test_a_half_of_a_pair_is_replaced_and_a_whole_pair_is_kept():
    assert strict_json.read(b'["a\\ud83d", "\\udE00", "\\ud83d\\ude00"]') == ["a\ufffd", "\ufffd", "😀"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e400", "too large for a double"),
        (b"-1e400", "too large for a double"),
        (b"9" * 309, "too large for a double"),
        (b"9" * 6000, "too large for a double"),
        (b"[" * 101 + b"]" * 101, "nested more than 100 deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nested more than 100 deep"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested more than 100 deep"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_not_json_for_everybody_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=words):
        strict_json.read(text)


@pytest.mark.parametrize("text", [b"[" * 100 + b"]" * 100, b"[" + b"[]," * 500 + b"[]]", b"9" * 308])
def test_what_is_large_and_within_the_limits_is_taken(text):
    assert strict_json.read(text) == json.loads(text)


def test_no_number_that_is_read_is_infinite():
    assert math.isfinite(strict_json.read(b"1.7976931348623157e308"))
