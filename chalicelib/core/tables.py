"""What every table model shares: where the table is, and how a lost condition is recognised.

The model's ``Meta`` names an environment variable, not a table, so that importing a model touches neither environment nor AWS::

    class UserRow(Row):
        class Meta(TableMeta):
            table_name = table("ACCOUNTS_TABLE")
"""

import os
from functools import cache
from typing import Any

from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import PynamoDBException
from pynamodb.models import Model

from chalicelib.core.config import setting


class _FromEnvironment:
    """A class attribute whose value is asked for each time that it is read."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def __get__(self, instance: object, owner: type) -> Any:
        return self._read()


def table(variable: str) -> Any:
    """The table whose name is in ``STREAMSPACE_{variable}``."""
    return _FromEnvironment(lambda: setting(variable))


class TableMeta:
    """Region and endpoint as the SDKs find them; time-outs short, because the table is in the same region."""

    region = _FromEnvironment(lambda: os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
    host = _FromEnvironment(lambda: os.environ.get("AWS_ENDPOINT_URL") or None)
    connect_timeout_seconds = 2
    read_timeout_seconds = 5
    max_retry_attempts = 3
    max_pool_connections = 10
    extra_headers = None
    aws_access_key_id = None
    aws_secret_access_key = None
    aws_session_token = None


@cache
def connection() -> Connection:
    """The one connection of a container; its client is every table's. Making a botocore client costs tens of milliseconds."""
    return Connection(
        region=TableMeta.region,
        host=TableMeta.host,
        connect_timeout_seconds=TableMeta.connect_timeout_seconds,
        read_timeout_seconds=TableMeta.read_timeout_seconds,
        max_retry_attempts=TableMeta.max_retry_attempts,
        max_pool_connections=TableMeta.max_pool_connections,
    )


class Row(Model):
    """A row of one of the platform's tables. pynamodb would make a client for each class of rows; these share one."""

    @classmethod
    def _get_connection(cls) -> TableConnection:
        own: TableConnection = super()._get_connection()
        # pynamodb makes the client when it is first asked for one, and keeps it here.
        own.connection._client = connection().client
        return own


def first_page(found: Any) -> tuple[list[Any], dict[str, dict[str, Any]] | None]:
    """The rows of one page of a query's result, and the key after which the next one begins (None: there is none). One call of DynamoDB,
    which ends a page at 1 MB of what it looked at, whatever the limit."""
    page = next(found.page_iter)
    return [found._map_fn(item) for item in page["Items"]], page.get("LastEvaluatedKey")


def condition_failed(error: PynamoDBException) -> bool:
    """Whether a single write was refused because its condition did not hold."""
    return getattr(error, "cause_response_code", None) == "ConditionalCheckFailedException"
