"""The stack's AWS account: what there is of a plugin, asked of each service itself."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local import settings

_ONE_TRY = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})


class Account:
    """Seen by its root, or by whoever's ``credentials`` are given."""

    def __init__(self, endpoint_url: str, credentials: dict[str, str] | None = None) -> None:
        self._endpoint_url = endpoint_url
        root = {
            name.lower(): value for name, value in settings.ROOT_CREDENTIALS.items() if name.startswith("AWS_ACCESS") or "SECRET" in name
        }
        self.credentials = credentials or root

    def acting_as(self, credentials: dict[str, str]) -> Account:
        return Account(self._endpoint_url, credentials)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self._endpoint_url, region_name=settings.REGION, config=_ONE_TRY, **self.credentials)

    @property
    def bucket(self) -> str:
        return f"{settings.STACK_NAME}-packages-{settings.ACCOUNT}"

    def tables(self) -> list[str]:
        return self.client("dynamodb").list_tables()["TableNames"]

    def stored_by(self, slug: str) -> dict[str, Any]:
        """What a plugin keeps in its storage, read where it lies: without waking the plugin."""
        (table,) = [name for name in self.tables() if "Runtime" in name]
        asked = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"STORAGE#{slug}"}},
            "ConsistentRead": True,
        }
        pages = self.client("dynamodb").get_paginator("query").paginate(TableName=table, **asked)
        return {row["sk"]["S"]: json.loads(row["value"]["S"]) for page in pages for row in page["Items"]}

    def mails_to(self, address: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self._endpoint_url}/_ministack/ses/messages", timeout=30) as answer:
            of_accounts = json.load(answer)["messages"].values()
        return [mail for mails in of_accounts for mail in mails if address in json.dumps(mail)]

    def all_of(self, slug: str) -> dict[str, list[str]]:
        """Whatever bears the plugin's name, by kind; only kinds of which there is something.

        Left out are what is kept on purpose: backups, the log of events and the records of jobs.
        """
        name = f"{settings.STACK_NAME}-plugin-{slug}"
        found = {
            "functions": self._named("lambda", "list_functions", "Functions", "FunctionName", name),
            "mappings": self._named("lambda", "list_event_source_mappings", "EventSourceMappings", "EventSourceArn", name),
            "queues": list(self.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", [])),
            "roles": self._named("iam", "list_roles", "Roles", "RoleName", name),
            "schedules": self._named("scheduler", "list_schedules", "Schedules", "Name", name),
            "log groups": self._named("logs", "describe_log_groups", "logGroups", "logGroupName", name),
            "objects": [key for key in self._objects() if slug in key and not key.startswith("backups/")],
            "rows": self._rows(slug),
        }
        return {kind: things for kind, things in found.items() if things}

    def backups_of(self, slug: str) -> list[str]:
        return [key for key in self._objects() if key.startswith(f"backups/plugins/{slug}-")]

    def objects(self) -> list[str]:
        return list(self._objects())

    def _named(self, service: str, operation: str, member: str, field: str, name: str) -> list[str]:
        pages = self.client(service).get_paginator(operation).paginate()
        return [one[field] for page in pages for one in page.get(member, []) if name in one[field]]

    def _objects(self) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def _rows(self, slug: str) -> list[str]:
        """Rows whose keys or owner name the plugin, its locks among them."""
        found = []
        for table in self.tables():
            if "Events" in table:
                continue
            for page in self.client("dynamodb").get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    keys = [str(item[name].get("S", "")) for name in ("pk", "sk", "owner") if name in item]
                    is_record_of_a_job = any(key.startswith("JOB#") for key in keys)
                    if any(slug in key for key in keys) and not is_record_of_a_job:
                        found.append(f"{table}: {' '.join(keys)}")
        return found


def refusal(call: Any) -> str:
    """The code with which AWS refuses a call; empty when it does not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
