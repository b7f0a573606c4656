"""What a fresh stack needs once: its administrator.

``python -m infra.bootstrap --stack streamspace --username admin --password … [--endpoint-url URL]``

May run again: an administrator who exists gets this password and a new token. Prints ``{"username", "token"}`` as JSON. It works on the
tables themselves, with the deployer's credentials: there is nobody yet whom the API would let in.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from typing import Any


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--stack", default="streamspace")
    arguments.add_argument("--username", default="admin")
    arguments.add_argument("--password", required=True)
    arguments.add_argument("--endpoint-url", help="an emulator of AWS")
    given = arguments.parse_args()
    if given.endpoint_url:
        os.environ["AWS_ENDPOINT_URL"] = given.endpoint_url
    _take_environment_of(given.stack)

    from chalicelib.accounts.bootstrap import ensure_administrator

    token = ensure_administrator(given.username, given.password)
    print(json.dumps({"username": given.username, "token": token}))


def _take_environment_of(stack: str) -> None:
    """The stack's tables, as its functions know them."""
    import boto3

    found: dict[str, Any] = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    os.environ["STREAMSPACE_STACK"] = stack
    for output in found["Outputs"]:
        if output["OutputKey"].endswith("Table"):
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", output["OutputKey"]).upper()
            os.environ[f"STREAMSPACE_{name}"] = output["OutputValue"]


if __name__ == "__main__":
    main()
