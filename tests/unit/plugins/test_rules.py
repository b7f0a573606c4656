"""The rules of settings mean what they mean in Laravel, and say so in the words of the REST document."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.plugins import fields, rules


def told(value, given_rules, *, field_type="text", label="Invoice Prefix", values=None, **more):
    field = {"key": "it", "type": field_type, "label": label, "rules": given_rules, **more}
    return fields.value_faults(field, value, values or {}, {"other": "Other Field", "mode": "Mode"})


def test_the_documents_two_sentences():
    assert told("INVOICE-2024-", "required|string|max:10") == ["The invoice prefix must not exceed 10 characters"]
    assert told(0, "required|integer|between:1,365", field_type="integer", label="Due Days") == ["The due days must be between 1 and 365"]
    assert told(400, "required|integer|min:1|max:365", field_type="integer", label="Due Days") == ["The due days must be between 1 and 365"]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("required", ["x", "0"], ["", None, "  "]),
        ("string", ["x"], []),
        ("email", ["a@example.com", "a.b+c@sub.example.org"], ["a", "a@b", "a@@example.com", "a b@example.com", "a@-x.com"]),
        ("url", ["https://example.com", "http://localhost:8080/x?y"], ["example.com", "https://", "javascript:alert(1)", "https://a b"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "x"]),
        ("ip", ["127.0.0.1", "::1"], ["256.0.0.1", "x"]),
        ("ipv4", ["127.0.0.1"], ["::1"]),
        ("ipv6", ["::1"], ["127.0.0.1"]),
        ("json", ['{"a": 1}', "3"], ["{", "x"]),
        ("date", ["2024-12-15", "2024-12-15T10:30:00Z"], ["15.12.2024", "2024-13-01", "soon"]),
        ("numeric", ["3", "-1.5", "1e3"], ["x", "1,5", "nan", "inf"]),
        ("integer", ["3", "-1"], ["1.5", "x"]),
        ("alpha", ["abc", "äö"], ["ab1", "a b"]),
        ("alpha_num", ["abc1"], ["a-b"]),
        ("alpha_dash", ["a-b_1"], ["a b"]),
        ("digits:4", ["1234"], ["123", "12a4", "12345"]),
        ("digits_between:2,3", ["12", "123"], ["1", "1234"]),
        ("size:3", ["abc"], ["ab", "abcd"]),
        ("min:2", ["ab"], ["a"]),
        ("max:2", ["ab", "äö"], ["abc"]),
        ("between:2,3", ["ab", "abc"], ["a", "abcd"]),
        ("in:small,large", ["small"], ["medium", "Small"]),
        ("not_in:root,admin", ["ann"], ["root"]),
        ('in:"a,b",c', ["a,b", "c"], ["a", "b"]),
        ("regex:/^[a-z]+$/", ["abc"], ["Abc", "abc\n", "1"]),
        ("regex:/^(a|b)+$/i|max:3", ["aB"], ["c", "abab"]),
        ("regex:^sk_", ["sk_1"], ["pk_1"]),
        ("not_regex:/[0-9]/", ["abc"], ["a1"]),
        ("starts_with:sk_,pk_", ["sk_1", "pk_1"], ["rk_1"]),
        ("ends_with:.com", ["a.com"], ["a.org"]),
        ("doesnt_start_with:www", ["a"], ["www.a"]),
        ("doesnt_end_with:/", ["a"], ["a/"]),
        ("lowercase", ["abc"], ["aBc"]),
        ("uppercase", ["ABC"], ["AbC"]),
        ("hex_color", ["#fff", "#A1b2C3"], ["fff", "#ggg"]),
        ("mac_address", ["00:1b:44:11:3a:b7"], ["00:1b"]),
        ("decimal:2", ["1.25"], ["1.2", "1", "x"]),
        ("gt:5|numeric", ["6"], ["5", "4"]),
        ("lte:5|numeric", ["5"], ["6"]),
        ("multiple_of:5|numeric", ["10"], ["11"]),
        ("min_digits:2", ["12", "123"], ["1", "a1"]),
        ("max_digits:2", ["12"], ["123", "-1"]),
        ("ulid", ["01ARZ3NDEKTSV4RRFFQ69G5FAV"], ["81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3"]),
        ("timezone", ["Europe/Berlin", "UTC"], ["Berlin", "europe/berlin"]),
        ("date_format:Y-m-d", ["2026-01-31"], ["2026-02-30", "31.01.2026"]),
        ("date_format:d.m.Y,H:i", ["31.01.2026", "23:59"], ["24:00"]),
        ("after:2026-01-01", ["2026-01-02", "2026-01-01T00:00:01Z"], ["2026-01-01", "2025-12-31", "x"]),
        ("after_or_equal:2026-01-01", ["2026-01-01"], ["2025-12-31"]),
        ("before:2026-01-01", ["2025-12-31"], ["2026-01-01"]),
        ("before_or_equal:2026-01-01", ["2026-01-01"], ["2026-01-02"]),
        ("date_equals:2026-01-01", ["2026-01-01", "2026-01-01T00:00:00Z"], ["2026-01-02"]),
        ("prohibited", ["", None], ["x"]),
        ("regex:/^(?=.*[0-9])(?=.*[a-z]).{3,}$/", ["a1b"], ["abc", "12"]),
    ],
)
def test_a_rule_takes_the_good_and_tells_of_the_bad(rule, good, bad):
    assert {value: told(value, rule) for value in good} == {value: [] for value in good}
    for value in bad:
        sentences = told(value, rule)
        assert len(sentences) == 1, (value, sentences)
        assert sentences[0].startswith("The invoice prefix ")


@pytest.mark.parametrize(
    ("field_type", "good", "bad"),
    [
        ("text", ["x", ""], [1, True, ["x"]]),
        ("number", [1, 1.5, -3], ["1", True, float("nan"), float("inf")]),
        ("integer", [1, 30.0], [1.5, "1", True]),
        ("boolean", [True, False], ["true", 1, 0, ""]),
        ("email", ["a@example.com"], ["x"]),
        ("url", ["https://example.com"], ["x"]),
        ("color", ["#1a2b3c"], ["red"]),
        ("date", ["2024-12-15"], ["x"]),
        ("password", ["x"], [1]),
        ("json", [{"a": 1}, [1], "x", 1], []),
    ],
)
def test_a_value_must_be_of_its_fields_type_even_without_rules(field_type, good, bad):
    assert [told(value, "", field_type=field_type) for value in good] == [[] for _ in good]
    assert all(told(value, "", field_type=field_type) for value in bad)


def test_a_choice_must_be_one_of_the_options_and_of_its_type():
    options = [{"value": 1, "label": "one"}, {"value": "two", "label": "two"}]

    assert told(1, "", field_type="select", options=options) == []
    assert told(True, "", field_type="select", options=options) == ["The invoice prefix must be one of: 1, two"]
    assert told([1, "two"], "", field_type="multiselect", options=options) == []
    assert told([3], "", field_type="multiselect", options=options) == ["The invoice prefix must be one of: 1, two"]


def test_sizes_count_items_of_a_list():
    assert told(["a", "b"], "max:1", field_type="json") == ["The invoice prefix must not have more than 1 item"]


def test_what_is_empty_is_only_wrong_where_it_is_required():
    assert told("", "nullable|email|min:5") == []
    assert told(None, "string|min:5") == []
    assert told("", "required|email|min:5") == ["The invoice prefix is required"]


@pytest.mark.parametrize(
    ("rule", "values", "sentence"),
    [
        ("required_if:mode,smtp,ses", {"mode": "smtp"}, "The invoice prefix is required when the mode is smtp"),
        ("required_if:mode,smtp", {"mode": "none"}, None),
        ("required_with_all:a,b", {"a": 1, "b": 2}, "The invoice prefix is required when the a and the b are given"),
        ("required_with_all:a,b", {"a": 1}, None),
        ("required_without_all:a,b", {}, "The invoice prefix is required when none of the a, the b is given"),
        ("required_without_all:a,b", {"b": 1}, None),
        ("accepted_if:mode,public", {"mode": "public"}, "The invoice prefix must be accepted when the mode is public"),
        ("accepted_if:mode,public", {"mode": "private"}, None),
        ("required_if:mode,true", {"mode": True}, "The invoice prefix is required when the mode is true"),
        ("required_unless:mode,none", {"mode": "smtp"}, "The invoice prefix is required unless the mode is none"),
        ("required_with:other", {"other": "x"}, "The invoice prefix is required when the other field is given"),
        ("required_with:other", {}, None),
        ("required_without:other", {}, "The invoice prefix is required when the other field is not given"),
    ],
)
def test_a_field_may_be_required_by_another(rule, values, sentence):
    assert told("", rule, values=values) == ([sentence] if sentence else [])


def test_two_fields_can_be_compared():
    assert told("a", "same:other", values={"other": "b"}) == ["The invoice prefix must be the same as the other field"]
    assert told("a", "different:other", values={"other": "a"}) == ["The invoice prefix must be different from the other field"]
    assert told(3, "gt:other", field_type="number", values={"other": 5}) == ["The invoice prefix must be greater than the other field"]


def test_all_faults_of_a_value_are_told():
    assert len(told("A B", "lowercase|alpha|max:2")) == 3


@pytest.mark.parametrize(
    "bad",
    ["requierd", "max", "max:ten", "between:1", "in", "regex:/(/", "regex:/x/q", "regex:", f"regex:/{'x' * 600}/", "required_if:mode"],
)
def test_a_rule_that_is_not_understood_is_refused_when_it_is_read(bad):
    with pytest.raises(ValueError) as refused:
        rules.parse(f"nullable|{bad}")
    assert str(refused.value)


def test_an_unknown_rule_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown rule 'requierd'; known are: .*required"):
        rules.parse("requierd")


def test_rules_may_be_a_list_so_that_a_pattern_can_hold_a_bar():
    assert told("c", ["regex:^(a|b)$", "max:1"]) == ["The invoice prefix has the wrong format"]


def test_a_pattern_sees_only_so_much_of_a_value():
    began = time.monotonic()

    assert told("x" * 1_000_000, "regex:/^(x*)*y/") == ["The invoice prefix must not exceed 2000 characters"]
    assert time.monotonic() - began < 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
EVERY_RULE = (
    "required|string|integer|numeric|boolean|accepted|declined|array|email|url|date|json|uuid|ip|ipv4|ipv6|mac_address|hex_color|alpha|"
    "alpha_num|alpha_dash|ascii|lowercase|uppercase|in:a,b|not_in:a|regex:/a/|not_regex:/b/|min:1|max:2|between:1,2|size:3|gt:1|gte:other|"
    "lt:1|lte:1|multiple_of:2|decimal:1,2|digits:3|digits_between:1,2|same:other|different:other|starts_with:a|ends_with:b|"
    "doesnt_start_with:a|doesnt_end_with:b|distinct|required_if:mode,x|required_unless:mode,x|required_with:other|required_without:other"
)


@given(ANYTHING, st.sampled_from(fields.TYPES), ANYTHING)
def test_no_value_breaks_any_rule_of_any_type(value, field_type, other):
    sentences = told(value, EVERY_RULE, field_type=field_type, values={"other": other, "mode": other})

    assert all(isinstance(sentence, str) for sentence in sentences)


@given(st.integers(0, 50), st.integers(0, 50), st.text(max_size=60))
def test_between_is_min_and_max_together(least, most, value):
    both = bool(told(value, f"min:{least}|max:{most}"))

    assert bool(told(value, f"between:{least},{most}")) == both


@pytest.mark.parametrize(
    ("rule", "value", "values", "sentence"),
    [
        ("prohibited_if:mode,none", "x", {"mode": "none"}, "The invoice prefix must be empty when the mode is none"),
        ("prohibited_if:mode,none", "x", {"mode": "smtp"}, None),
        ("prohibited_unless:mode,smtp", "x", {"mode": "none"}, "The invoice prefix must be empty unless the mode is smtp"),
        ("prohibited_unless:mode,smtp", "x", {"mode": "smtp"}, None),
        ("prohibits:other", "x", {"other": "y"}, "The invoice prefix cannot be given together with the other field"),
        ("prohibits:other", "x", {"other": ""}, None),
        ("after:other", "2026-01-01", {"other": "2026-01-02"}, "The invoice prefix must be a date after the other field"),
        ("before:other", "2026-01-01", {"other": "2026-01-02"}, None),
        ("before:other", "2026-01-01", {}, None),
        ("declined_if:mode,public", "yes", {"mode": "public"}, "The invoice prefix must be declined when the mode is public"),
        ("declined_if:mode,public", "no", {"mode": "public"}, None),
    ],
)
def test_a_rule_that_looks_at_another_setting_says_which(rule, value, values, sentence):
    assert told(value, rule, values=values) == ([sentence] if sentence else [])


@pytest.mark.parametrize(
    ("rule", "value", "sentence"),
    [
        ("list", {"a": 1}, "The invoice prefix must be a list"),
        ("array", {"a": 1}, None),
        ("contains:admin,root", ["admin"], "The invoice prefix must contain: root"),
        ("contains:1", [1, 2], None),
        ("required_array_keys:host,port", {"host": 1}, "The invoice prefix must have entries for: port"),
        ("required_array_keys:host", {"host": None}, None),
    ],
)
def test_a_rule_for_lists_and_objects_says_what_is_missing(rule, value, sentence):
    assert told(value, rule, field_type="json") == ([sentence] if sentence else [])


@pytest.mark.parametrize("rule", ["date_format:Q", "after", "after:a,b", "prohibited_if:mode", "min_digits:x", "prohibits", "unique:users"])
def test_a_rule_that_cannot_be_meant_is_refused_when_the_package_is_read(rule):
    with pytest.raises(ValueError, match=r"rule|letter"):
        rules.parse(rule)


def test_a_pattern_that_never_comes_to_an_end_is_stopped_and_blamed():
    field = {"key": "code", "type": "text", "label": "Code", "tab": "t", "rules": "regex:/^(a+)+$/", "default": "a" * 60 + "!"}
    began = time.monotonic()

    faults = fields.faults_of({"settings": {"tabs": [{"key": "t", "label": "T"}], "fields": [field]}})

    assert faults == {"settings.fields.0": ["The code could not be checked: its pattern takes too long"]}
    assert time.monotonic() - began < 20


def test_every_rule_is_in_the_guide_for_authors():
    guide = (Path(__file__).parents[3] / "docs/guides/settings.md").read_text()

    assert [name for name in rules._RULES if not re.search(rf"`{name}[:`]", guide)] == []
