"""A token's form: found by scanners, checked without a database."""

import string

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.accounts import token_text

_URL_SAFE = string.ascii_letters + string.digits + "-_"


def test_a_fresh_token_is_well_formed_and_not_like_the_one_before():
    tokens = {token_text.fresh() for _ in range(200)}

    assert len(tokens) == 200
    assert all(token.startswith("ss_") and len(token) == 41 and token_text.is_well_formed(token) for token in tokens)


@given(position=st.integers(3, 40), letter=st.sampled_from(_URL_SAFE))
def test_a_token_with_one_wrong_letter_is_no_token(position, letter):
    token = token_text.fresh()
    mistyped = token[:position] + letter + token[position + 1 :]

    assert token_text.is_well_formed(mistyped) == (mistyped == token)


@given(st.text(max_size=60))
def test_any_other_text_is_no_token(text):
    assert not token_text.is_well_formed(text)


def test_a_token_with_something_behind_it_is_no_token():
    token = token_text.fresh()

    assert not token_text.is_well_formed(token + "\n")
    assert not token_text.is_well_formed(token + "A")


def test_a_tokens_id_does_not_contain_what_it_takes_to_be_the_token():
    token = token_text.fresh()
    stored = token_text.hash_of(token)

    assert token_text.id_of(stored) == f"tok_{stored[:24]}"
    assert token[3:] not in stored
