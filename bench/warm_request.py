"""A request to a process that had many, with API Gateway's event in and its answer out; the database on loopback answers at once.

Against bare Chalice routes with the same body. The first row is what the edge costs (matching, admission, envelope); in the second ours
looks up a token over HTTP and the other does nothing; in the third both read one item, the other with a plain boto3 client.
"""

from __future__ import annotations

from bench.function import function
from bench.report import Table, milliseconds, ratio

_ROUNDS = 400


def run() -> list[Table]:
    with function() as one:
        taken = one.warm(_ROUNDS)
    pairs = (
        ("without a token", "ours_open", "plain_open", "a bare route"),
        ("with a token", "ours_token", "plain_token", "a bare route"),
        ("with a token", "ours_token", "plain_read", "a bare route that reads an item"),
    )
    rows = [
        (what, against, ratio(taken[ours], taken[other]), milliseconds(taken[ours]), milliseconds(taken[other]))
        for what, ours, other, against in pairs
    ]
    note = f"`GET /platform` in process, p50 of {_ROUNDS}, by turns with Chalice routes that answer the same body."
    return [Table("Warm request", note, ("API", "against", "ratio", "API p50", "other p50"), rows)]
