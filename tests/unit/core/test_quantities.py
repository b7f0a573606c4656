"""Amounts and durations mean here exactly what they mean to Kubernetes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.quantities import LARGEST, parse_cpu, parse_duration, parse_memory


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("1", 1),
        ("512Mi", 512 * 1024**2),
        ("16Gi", 16 * 1024**3),
        ("16G", 16 * 1000**3),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 512 * 1024**2),
        (".5Ki", 512),
        ("2.", 2),
        ("+1M", 10**6),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12e-1", 2),
        ("1E", 10**18),
        ("1Ei", 1024**6),
        ("128974848000m", 128974848),
        ("1m", 1),
        ("1n", 1),
        ("1u", 1),
        ("0.1", 1),
        ("100E", LARGEST),
        ("1e999999999", LARGEST),
        ("0e999999999", 0),
        ("1e-999999999", 1),
    ],
)
def test_memory_is_read_as_kubernetes_reads_it(text, size_bytes):
    assert parse_memory(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "millicores"), [("2", 2000), ("2000m", 2000), ("0.5", 500), ("1500u", 2), ("100n", 1), ("1k", 10**6), ("0", 0)]
)
def test_cpu_is_read_in_thousandths_of_a_core(text, millicores):
    assert parse_cpu(text) == millicores


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Gi",
        "1gi",
        "1K",
        "1 Gi",
        "1Gi ",
        "1GiB",
        "1GB",
        "-1Gi",
        "--1",
        "1e",
        "1e1.5",
        "1eGi",
        "1e3Gi",
        ".",
        "1..2",
        "1,5",
        "٣Gi",
        "1Gi\n",
        "0x1",
        "NaN",
        "1" * 65,
    ],
)
def test_what_kubernetes_would_refuse_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as '512Mi'"):
        parse_memory(text)


@given(number=st.integers(0, 2**30), power=st.integers(0, 3))
def test_a_binary_suffix_is_a_power_of_1024(number, power):
    assert parse_memory(f"{number}{['', 'Ki', 'Mi', 'Gi'][power]}") == number * 1024**power


@given(number=st.decimals(0, 10**6, places=3))
def test_cores_and_thousandths_of_cores_are_two_spellings_of_one_amount(number):
    assert parse_cpu(str(number)) == parse_cpu(f"{int(number * 1000)}m")


@given(
    smaller=st.decimals(0, 10**9, places=12),
    added=st.decimals(0, 10**9, places=12),
    suffix=st.sampled_from(["", "m", "k", "Ki", "Gi", "e2"]),
)
def test_a_larger_number_is_never_a_smaller_amount(smaller, added, suffix):
    assert parse_memory(f"{smaller:f}{suffix}") <= parse_memory(f"{smaller + added:f}{suffix}")


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_a_value_error(text):
    for parse in (parse_memory, parse_cpu, parse_duration):
        try:
            assert 0 <= parse(text) <= LARGEST
        except ValueError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("30m", 1800),
        ("8h", 28800),
        ("1h30m", 5400),
        ("1h30m5s", 5405),
        ("1.5h", 5400),
        (".5h", 1800),
        ("1.m", 60),
        ("30m1h", 5400),
        ("1m1m", 120),
        ("+5s", 5),
        ("1500ms", 2),
        ("1ns", 1),
        ("1us", 1),
        ("1µs", 1),
        ("1μs", 1),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "+", "5", "1d", "1h 30m", "1H", "-1h", "h", "1hm", "1e3s", "١h", "1h\n", "00"])
def test_what_go_would_refuse_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as '30m'"):
        parse_duration(text)


def test_a_duration_that_go_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="292 years"):
        parse_duration("2562048h")


@given(hours=st.integers(0, 1000), minutes=st.integers(0, 59), seconds=st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours, minutes, seconds):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


def test_a_huge_exponent_costs_nothing():
    began = time.perf_counter()

    parse_memory("9" * 40 + "e9999999999999999999999")

    assert time.perf_counter() - began < 0.5
