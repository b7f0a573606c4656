import argparse
import json
import sys
from pathlib import Path

import boto3

arguments = argparse.ArgumentParser()
arguments.add_argument("--stack")
arguments.add_argument("--endpoint-url")
arguments.add_argument("--parameter", action="append", default=[])
given = arguments.parse_args()

cloudformation = boto3.client("cloudformation", endpoint_url=given.endpoint_url)
request = {
    "StackName": given.stack,
    "TemplateBody": Path(".build/template.json").read_text(),
    "Capabilities": ["CAPABILITY_IAM"],
    "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in (each.split("=", 1) for each in given.parameter)],
}
try:
    cloudformation.describe_stacks(StackName=given.stack)
except cloudformation.exceptions.ClientError:
    cloudformation.create_stack(**request)
    done = "stack_create_complete"
else:
    done = "stack_update_complete"
    try:
        cloudformation.update_stack(**request)
    except cloudformation.exceptions.ClientError as problem:
        if "No updates are to be performed" not in str(problem):
            raise
        done = "stack_exists"
print(f"waiting for {done}", file=sys.stderr)
cloudformation.get_waiter(done).wait(StackName=given.stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
(stack,) = cloudformation.describe_stacks(StackName=given.stack)["Stacks"]
print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}))
