"""What commands print: a table for people, or the API's own JSON for programs."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

Columns = Mapping[str, str | Callable[[Any], Any]]
"""Heading → key of the row (dots go deeper), or a function of the row."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")


def show(value: Any, columns: Columns, *, as_json: bool, none: str = "Nothing found.") -> None:
    """A list as a table, an object as one line for each column; or either as JSON."""
    if as_json:
        show_json(value)
    elif isinstance(value, dict):
        cells = {heading: _cell(_pick(value, column)) for heading, column in columns.items()}
        width = max(map(_width, cells), default=0)
        for heading, cell in cells.items():
            click.echo(f"{_padded(heading, width)}  {cell}".rstrip())
    elif value:
        for line in table(value, columns):
            click.echo(line)
    else:
        click.echo(none)


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Iterable[Any], columns: Columns) -> list[str]:
    """Lines with aligned columns and two spaces between them; the first line has the headings."""
    lines = [[heading.upper() for heading in columns]]
    lines += [[_cell(_pick(row, column)) for column in columns.values()] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(_padded, line, widths)).rstrip() for line in lines]


def visible(text: str) -> str:
    """Text on one line that cannot drive the terminal: a plugin's description is anybody's text."""
    return "".join(character if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for character in text)


def tree(nodes: Sequence[Any], label: Callable[[Any], str], children: str, indent: str = "") -> list[str]:
    lines = []
    for node in nodes:
        lines.append(indent + visible(label(node)))
        lines += tree(node.get(children) or [], label, children, indent + "  ")
    return lines


def _pick(row: Any, column: str | Callable[[Any], Any]) -> Any:
    if callable(column):
        return column(row)
    for key in column.split("."):
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return visible(", ".join(map(str, value))) or "-"
    return visible(json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value))


def _width(text: str) -> int:
    """In terminal cells: East Asian wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
