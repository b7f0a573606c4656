"""What plugins that are installed already must be told after a deployment: the platform's address, the SDKs, the configuration.

``python -m infra.refresh --stack streamspace [--endpoint-url URL]``, which ``infra.deploy`` does by itself. May run again. Prints the slugs
of the plugins whose functions were changed. It works with the deployer's credentials, on the plugins' functions themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping

# What a plugin's function is made from, beside the tables.
_OUTPUTS = {
    "ApiUrl": "API_URL",
    "Namespace": "NAMESPACE",
    "IngressDomain": "INGRESS_DOMAIN",
    "PythonSdkLayer": "PYTHON_SDK_LAYER",
    "NodejsSdkLayer": "NODEJS_SDK_LAYER",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--stack", default="streamspace")
    arguments.add_argument("--endpoint-url", help="an emulator of AWS")
    given = arguments.parse_args()

    import boto3

    cloudformation = boto3.client("cloudformation", endpoint_url=given.endpoint_url)
    (found,) = cloudformation.describe_stacks(StackName=given.stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    print(json.dumps(refresh(given.stack, outputs, given.endpoint_url)))


def refresh(stack: str, outputs: Mapping[str, str], endpoint_url: str | None = None) -> list[str]:
    """The slugs of the plugins whose functions were changed; ``outputs`` are the stack's."""
    if endpoint_url:
        os.environ["AWS_ENDPOINT_URL"] = endpoint_url
    os.environ["STREAMSPACE_STACK"] = stack
    for output, value in outputs.items():
        if output.endswith("Table"):
            os.environ[f"STREAMSPACE_{re.sub(r'(?<!^)(?=[A-Z])', '_', output).upper()}"] = value
        elif output in _OUTPUTS:
            os.environ[f"STREAMSPACE_{_OUTPUTS[output]}"] = value

    from chalicelib.plugins import refresh_functions

    return refresh_functions()


if __name__ == "__main__":
    main()
