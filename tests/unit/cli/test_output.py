"""Tables line up, and nobody's text drives the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import table, visible

rows = st.lists(st.fixed_dictionaries({"a": st.text(max_size=8), "b": st.integers(), "c": st.booleans()}), max_size=5)


@given(rows=rows)
def test_a_table_has_one_line_for_each_row_whatever_the_text(rows):
    lines = table(rows, {"a": "a", "b": "b", "c": "c"})

    assert len(lines) == len(rows) + 1
    assert all(len(line.splitlines()) <= 1 for line in lines)


def test_columns_line_up_also_with_wide_characters():
    lines = table([{"name": "日本", "n": 1}, {"name": "ab", "n": None}, {"n": True}], {"name": "name", "n": "n"})

    assert lines == ["NAME  N", "日本  1", "ab    -", "-     yes"]


def test_dots_go_deeper_and_functions_decide():
    row = {"resources": {"memory": "4Gi"}, "tags": ["a", "b"]}

    lines = table([row], {"memory": "resources.memory", "missing": "x.y.z", "tags": "tags", "n": lambda row: len(row)})

    assert lines[1].split() == ["4Gi", "-", "a,", "b", "2"]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x9b31m", "a\rb", "a\nb", "\u202eabc", "\x00", "\u2028"])
def test_what_drives_a_terminal_is_not_printed(hostile):
    assert visible(hostile).isprintable()
