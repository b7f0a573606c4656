"""The one door to AWS, except for tables, which pynamodb opens (``core/tables.py``).

A client is made by the first call that needs it: importing boto3 costs as much as a whole cold start of a small function.
"""

from functools import cache
from typing import Any

# Short connect time-outs, because every endpoint is in the same region; botocore's standard mode retries with jitter.
_CONNECT_TIMEOUT_S = 2
_READ_TIMEOUT_S = 10
_ATTEMPTS = 4

# A synchronous Lambda call answers only when the plugin does; the API's own 29 s is the bound.
_READ_TIMEOUT_OF_S = {"lambda": 28}

# Left to itself botocore signs S3's URLs in the old way, and for the host of another region, which redirects.
_SIGNED: dict[str, dict[str, Any]] = {"s3": {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}}}

# The service models that the deployment package keeps; infra/ leaves out the other four hundred.
SERVICES = ("dynamodb", "eks", "iam", "kms", "lambda", "logs", "s3", "scheduler", "ses", "sqs", "stepfunctions", "sts")


@cache
def client(service: str, read_timeout_s: int | None = None) -> Any:
    """The boto3 client of ``service``, one for each container and patience. Never retries a Lambda invocation: a hook may have run."""
    import boto3
    from botocore.config import Config

    if service not in SERVICES:
        raise ValueError(f"add {service!r} to SERVICES, or the deployment package will lack its model")
    return boto3.client(
        service,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s or _READ_TIMEOUT_OF_S.get(service, _READ_TIMEOUT_S),
            retries={"mode": "standard", "total_max_attempts": 1 if service == "lambda" else _ATTEMPTS},
            **_SIGNED.get(service, {}),
        ),
    )


def error_code(error: Exception) -> str:
    """The AWS error code that a botocore ClientError carries, or an empty string for anything else."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
