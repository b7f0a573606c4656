import argparse
import json

import boto3

arguments = argparse.ArgumentParser()
for name in ("--stack", "--endpoint-url", "--username", "--password"):
    arguments.add_argument(name)
given = arguments.parse_args()
table = boto3.resource("dynamodb", endpoint_url=given.endpoint_url).Table("standin")
table.put_item(Item={"name": given.username, "password": given.password})
print(json.dumps({"username": given.username, "token": "ss_token"}))
