"""Deploys what ``infra.build`` built: uploads the artifacts, creates or updates the stack, tells the plugins that are installed of it
(``infra.refresh``), prints the stack's outputs as JSON.

``python -m infra.deploy --stack streamspace [--endpoint-url URL] [--parameter Key=Value …]``

Credentials and region are found as every AWS tool finds them. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from infra import refresh
from infra.build import ARTIFACTS, TEMPLATE

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_UNDER_WAY = "_IN_PROGRESS"
_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_PATIENCE_S = 1800


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--stack", default="streamspace")
    arguments.add_argument("--endpoint-url", help="an emulator of AWS")
    arguments.add_argument("--parameter", action="append", default=[], metavar="KEY=VALUE")
    given = arguments.parse_args()
    if not TEMPLATE.exists():
        raise SystemExit("nothing is built yet: run 'python -m infra.build' first")
    parameters = dict(one.split("=", 1) for one in given.parameter)
    outputs = deploy(given.stack, parameters, given.endpoint_url)
    if changed := refresh.refresh(given.stack, outputs, given.endpoint_url):
        _say(f"told the plugins that are installed: {', '.join(changed)}")
    print(json.dumps(outputs, indent=1))


def deploy(stack: str, parameters: dict[str, str], endpoint_url: str | None = None) -> dict[str, str]:
    """The stack's outputs, when it stands. Raises SystemExit with AWS's reason when it does not."""
    import boto3

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=endpoint_url)

    account = client("sts").get_caller_identity()["Account"]
    bucket = f"{stack}-artifacts-{account}"
    template = json.loads(TEMPLATE.read_text())
    artifacts = {
        name: parameter["Default"]
        for name, parameter in template["Parameters"].items()
        if str(parameter.get("Default", "")).endswith(".zip")
    }
    _upload(client("s3"), bucket, [*artifacts.values()])
    body_key = f"template-{int(time.time())}.json"
    # CloudFormation takes 51,200 bytes in the request itself, and more only by address.
    client("s3").put_object(Bucket=bucket, Key=body_key, Body=TEMPLATE.read_bytes())
    request = {
        "StackName": stack,
        "Capabilities": _CAPABILITIES,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in {"ArtifactsBucket": bucket, **artifacts, **parameters}.items()
        ],
    }
    request["TemplateURL"] = f"{endpoint_url}/{bucket}/{body_key}" if endpoint_url else f"https://{bucket}.s3.amazonaws.com/{body_key}"
    return _apply(client("cloudformation"), request)


def _upload(s3: Any, bucket: str, names: list[str]) -> None:
    region = s3.meta.region_name
    if not _exists(s3.head_bucket, Bucket=bucket):
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
    for name in names:
        if not _exists(s3.head_object, Bucket=bucket, Key=name):
            _say(f"uploading {name}")
            s3.upload_file(str(ARTIFACTS / name), bucket, name)


def _exists(look: Any, **where: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        look(**where)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _apply(cloudformation: Any, request: dict[str, Any]) -> dict[str, str]:
    from botocore.exceptions import ClientError

    stack = request["StackName"]
    before = _described(cloudformation, stack)
    if before is None or before["StackStatus"] == "ROLLBACK_COMPLETE":
        if before is not None:
            # A creation that failed leaves a husk that can only be deleted.
            cloudformation.delete_stack(StackName=stack)
            _wait(cloudformation, stack)
        _say(f"creating the stack {stack}")
        cloudformation.create_stack(**request)
    else:
        _say(f"updating the stack {stack}")
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise SystemExit(f"the stack {stack} cannot be updated: {error}") from error
    after = _wait(cloudformation, stack)
    if after is None or after["StackStatus"] not in _GOOD:
        raise SystemExit(f"the stack {stack} is {after['StackStatus'] if after else 'gone'}:\n{_reasons(cloudformation, stack)}")
    return {output["OutputKey"]: output["OutputValue"] for output in after.get("Outputs", [])}


def _described(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def _wait(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = _described(cloudformation, stack)
        if found is None or not found["StackStatus"].endswith(_UNDER_WAY):
            return found
        time.sleep(0.5)
    raise SystemExit(f"the stack {stack} is not ready after {_PATIENCE_S // 60} minutes")


def _reasons(cloudformation: Any, stack: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [one for one in events if one["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"  {one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}" for one in failed)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
