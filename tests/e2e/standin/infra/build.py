"""Builds a template with one function behind a REST API that logs anyone in."""

import json
import time
from pathlib import Path

CODE = """
import json, os, boto3
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
def handler(event, context):
    if event["path"].endswith("/auth/login"):
        password = table.get_item(Key={"name": "admin"}).get("Item", {}).get("password")
        if json.loads(event["body"])["password"] != password:
            return {"statusCode": 401, "body": json.dumps({"success": False})}
        return {"statusCode": 200, "body": json.dumps({"success": True, "data": {"token": "ss_token"}})}
    return {"statusCode": 200, "body": json.dumps({"path": event["path"], "url": os.environ["PUBLIC_API_URL"]})}
"""

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
        },
        "Policies": [
            {
                "PolicyName": "table",
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "dynamodb:GetItem",
                            "Resource": {"Fn::GetAtt": ["Table", "Arn"]},
                        }
                    ]
                },
            }
        ],
    },
}

URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"

TEMPLATE = {
    "Parameters": {
        name: {"Type": "String", "Default": ""}
        for name in (
            "PublicApiUrl",
            "MarketplaceUrl",
            "MarketplacePublicKey",
            "KubernetesUrl",
            "IngressDomain",
            "Environment",
        )
    },
    "Resources": {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "standin",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
            },
        },
        "Role": ROLE,
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Timeout": 10,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}, "PUBLIC_API_URL": {"Ref": "PublicApiUrl"}}},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "apigateway.amazonaws.com",
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "standin"}},
        "Everything": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "{proxy+}",
            },
        },
        "Any": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Ref": "Everything"},
                "HttpMethod": "ANY",
                "AuthorizationType": "NONE",
                "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": URI}},
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": "Any",
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "StageName": "api",
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "Deployment"},
            },
        },
    },
    "Outputs": {"RestApiId": {"Value": {"Ref": "Api"}}, "StageName": {"Value": {"Ref": "Stage"}}},
}

if __name__ == "__main__":
    time.sleep(1)  # long enough to be killed in
    Path(".build").mkdir(exist_ok=True)
    Path(".build/template.json").write_text(json.dumps(TEMPLATE))
    print("built")
