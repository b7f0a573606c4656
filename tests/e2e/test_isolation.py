"""What a plugin could do with all that its process holds: its AWS credentials and its platform token. Nothing but its own work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local import settings
from tests.e2e.aws import Account, refusal
from tests.e2e.client import Api, Refused
from tests.e2e.plugins import WrittenPlugin

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TELLTALE = """
module.exports = {
  async onLoad() {
    streamspace.commands.register({
      name: `${this.manifest.name}-environment`, description: 'All that it knows', permissions: [], handler: () => ({ ...process.env }),
    });
    await streamspace.storage.set('mine', this.manifest.name);
  },
};
"""
SCOPES = ("read:users", "storage", "commands")

S, A = settings.STACK_NAME, settings.ACCOUNT
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


@dataclass(frozen=True)
class Prisoner:
    """A plugin, what its process holds, and a neighbour to break in to."""

    own: WrittenPlugin
    neighbour: WrittenPlugin
    aws: Account
    token: Api
    platform: Account

    @property
    def function(self) -> str:
        return f"{S}-plugin-{self.own.slug}"

    @property
    def neighbours_function(self) -> str:
        return f"{S}-plugin-{self.neighbour.slug}"

    def queue(self, name: str) -> str:
        return self.platform.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]

    def table(self, part: str) -> str:
        (found,) = [name for name in self.platform.tables() if part in name]
        return found

    def parameter(self, kind: str) -> str:
        """The physical name of the one resource of this type in the stack."""
        resources = self.platform.client("cloudformation").describe_stack_resources(StackName=S)["StackResources"]
        return next(one["PhysicalResourceId"] for one in resources if one["ResourceType"] == kind)


@pytest.fixture(scope="module")
def prisoner(stack, api: Api, account: Account, module_plugin) -> Prisoner:
    own, neighbour = (module_plugin.install(TELLTALE, permissions=SCOPES) for _ in range(2))
    environment = api.run(f"{own.slug}-environment")
    credentials = {name: environment[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")}
    return Prisoner(own, neighbour, account.acting_as(credentials), Api(stack.api_url, environment["STREAMSPACE_TOKEN"]), account)


def test_its_environment_has_its_own_names_and_no_secret_of_the_platform(api, prisoner):
    environment = api.run(f"{prisoner.own.slug}-environment")

    assert environment["STREAMSPACE_PLUGIN"] == prisoner.own.slug
    # The launcher marks all that it starts, to find it again.
    assert {name for name in environment if name.startswith("STREAMSPACE_")} - {settings.OWNER_VARIABLE} == {
        "STREAMSPACE_API_URL",
        "STREAMSPACE_TOKEN",
        "STREAMSPACE_PLUGIN",
        "STREAMSPACE_VERSION",
        "STREAMSPACE_CONFIG",
    }


def test_the_credentials_are_those_of_its_own_role(prisoner):
    assert prisoner.aws.credentials["aws_access_key_id"].startswith("ASIA")
    assert f"/{prisoner.function}/" in prisoner.aws.client("sts").get_caller_identity()["Arn"]


def test_its_own_queue_it_may_read(prisoner):
    queue = prisoner.queue(f"{prisoner.function}.fifo")

    answer = prisoner.aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=1)

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


QUEUES = {
    "its neighbour's": lambda p: f"{p.neighbours_function}.fifo",
    "the sessions'": lambda _: f"{S}-sessions.fifo",
    "the sessions' dead letters": lambda _: f"{S}-sessions-dead.fifo",
    "the session checks": lambda _: f"{S}-session-checks",
    "the plugins' dead letters": lambda _: f"{S}-plugins-dead.fifo",
}
QUEUE_CALLS: dict[str, Callable[[Any, str], Any]] = {
    "receive": lambda sqs, url: sqs.receive_message(QueueUrl=url),
    "delete a message": lambda sqs, url: sqs.delete_message(QueueUrl=url, ReceiptHandle="a-handle"),
    "send": lambda sqs, url: sqs.send_message(QueueUrl=url, MessageBody="{}"),
    "purge": lambda sqs, url: sqs.purge_queue(QueueUrl=url),
    "delete it": lambda sqs, url: sqs.delete_queue(QueueUrl=url),
}


@pytest.mark.parametrize("call", QUEUE_CALLS)
@pytest.mark.parametrize("queue", QUEUES)
def test_other_queues_are_closed(prisoner, queue, call):
    url = prisoner.queue(QUEUES[queue](prisoner))

    assert_refused(lambda: QUEUE_CALLS[call](prisoner.aws.client("sqs"), url))


@pytest.mark.parametrize("call", ["send", "purge", "delete it"])
def test_in_its_own_queue_it_can_neither_forge_nor_drop_events(prisoner, call):
    url = prisoner.queue(f"{prisoner.function}.fifo")

    assert_refused(lambda: QUEUE_CALLS[call](prisoner.aws.client("sqs"), url))


TABLES = ("Accounts", "Sessions", "Messag", "Plugins", "Marketplace", "Runtime", "Jobs", "Events", "Webhooks", "Licenses")
TABLE_CALLS: dict[str, Callable[[Any, str, dict[str, Any]], Any]] = {
    "GetItem": lambda db, table, key: db.get_item(TableName=table, Key=key),
    "PutItem": lambda db, table, key: db.put_item(TableName=table, Item=key),
    "UpdateItem": lambda db, table, key: db.update_item(TableName=table, Key=key),
    "DeleteItem": lambda db, table, key: db.delete_item(TableName=table, Key=key),
    "Query": lambda db, table, key: db.query(
        TableName=table,
        KeyConditionExpression="#k = :v",
        ExpressionAttributeNames={"#k": next(iter(key))},
        ExpressionAttributeValues={":v": next(iter(key.values()))},
    ),
    "Scan": lambda db, table, key: db.scan(TableName=table),
    "TransactWriteItems": lambda db, table, key: db.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": key}}]),
    "DeleteTable": lambda db, table, key: db.delete_table(TableName=table),
}


def test_every_table_is_among_those_that_are_tried(prisoner):
    untried = [name for name in prisoner.platform.tables() if not any(part in name for part in TABLES)]

    assert untried == []


@pytest.mark.parametrize("call", TABLE_CALLS)
@pytest.mark.parametrize("part", TABLES)
def test_tables_are_closed(prisoner, part, call):
    table = prisoner.table(part)
    description = prisoner.platform.client("dynamodb").describe_table(TableName=table)["Table"]
    kinds = {one["AttributeName"]: one["AttributeType"] for one in description["AttributeDefinitions"]}
    key = {one["AttributeName"]: {kinds[one["AttributeName"]]: "1"} for one in description["KeySchema"]}

    assert_refused(lambda: TABLE_CALLS[call](prisoner.aws.client("dynamodb"), table, key))


OTHER_CALLS: dict[str, Callable[[Prisoner], Any]] = {
    "s3: list its packages": lambda p: p.aws.client("s3").list_objects_v2(Bucket=p.aws.bucket),
    "s3: get its own package": lambda p: p.aws.client("s3").get_object(Bucket=p.aws.bucket, Key=own_package(p)),
    "s3: put a package": lambda p: p.aws.client("s3").put_object(Bucket=p.aws.bucket, Key=own_package(p), Body=b"mine"),
    "s3: delete a package": lambda p: p.aws.client("s3").delete_object(Bucket=p.aws.bucket, Key=own_package(p)),
    "kms: decrypt": lambda p: p.aws.client("kms").decrypt(CiphertextBlob=somebodys_secret(p)),
    "kms: encrypt": lambda p: p.aws.client("kms").encrypt(KeyId=p.parameter("AWS::KMS::Key"), Plaintext=b"x"),
    "lambda: invoke its neighbour": lambda p: p.aws.client("lambda").invoke(FunctionName=p.neighbours_function),
    "lambda: invoke itself": lambda p: p.aws.client("lambda").invoke(FunctionName=p.function),
    "lambda: invoke the API": lambda p: p.aws.client("lambda").invoke(FunctionName=f"{S}-api"),
    "lambda: invoke a job's step": lambda p: p.aws.client("lambda").invoke(FunctionName=f"{S}-job-step"),
    "lambda: read its neighbour's environment": lambda p: p.aws.client("lambda").get_function_configuration(
        FunctionName=p.neighbours_function
    ),
    "lambda: change itself": lambda p: p.aws.client("lambda").update_function_configuration(FunctionName=p.function, Timeout=900),
    "lambda: change its code": lambda p: p.aws.client("lambda").update_function_code(FunctionName=p.function, ZipFile=b"PK"),
    "lambda: make a function": lambda p: p.aws.client("lambda").create_function(
        FunctionName=f"{S}-plugin-second", Runtime="nodejs24.x", Handler="a.b", Role=role_arn(p.function), Code={"ZipFile": b"PK"}
    ),
    "lambda: delete the API": lambda p: p.aws.client("lambda").delete_function(FunctionName=f"{S}-api"),
    "lambda: list mappings": lambda p: p.aws.client("lambda").list_event_source_mappings(),
    "iam: read its role": lambda p: p.aws.client("iam").get_role(RoleName=p.function),
    "iam: make a role": lambda p: p.aws.client("iam").create_role(RoleName="escaped", AssumeRolePolicyDocument="{}"),
    "iam: allow itself more": lambda p: p.aws.client("iam").put_role_policy(
        RoleName=p.function, PolicyName="all", PolicyDocument='{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    ),
    "iam: drop its boundary": lambda p: p.aws.client("iam").delete_role_permissions_boundary(RoleName=p.function),
    "iam: make a user": lambda p: p.aws.client("iam").create_user(UserName="escaped"),
    "sts: become the API": lambda p: assume(p, "ApiRole"),
    "sts: become a job's step": lambda p: assume(p, "JobStepRole"),
    "sts: become the session worker": lambda p: assume(p, "SessionWorkerRole"),
    "sts: become its neighbour": lambda p: p.aws.client("sts").assume_role(
        RoleArn=role_arn(p.neighbours_function), RoleSessionName="escape"
    ),
    "ses: send": lambda p: p.aws.client("sesv2").send_email(
        FromEmailAddress="noreply@streamspace.local",
        Destination={"ToAddresses": ["a@example.com"]},
        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
    ),
    "ses: send, the old way": lambda p: p.aws.client("ses").send_email(
        Source="noreply@streamspace.local",
        Destination={"ToAddresses": ["a@example.com"]},
        Message={"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}},
    ),
    "scheduler: make a schedule": lambda p: p.aws.client("scheduler").create_schedule(
        Name=f"{p.function}_escape",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function_arn(p.neighbours_function), "RoleArn": role_arn(f"{S}-scheduler")},
    ),
    "scheduler: list schedules": lambda p: p.aws.client("scheduler").list_schedules(),
    "states: start an install": lambda p: p.aws.client("stepfunctions").start_execution(
        stateMachineArn=f"arn:aws:states:{settings.REGION}:{A}:stateMachine:{S}-install", input="{}"
    ),
    "states: list": lambda p: p.aws.client("stepfunctions").list_state_machines(),
    "secretsmanager: list": lambda p: p.aws.client("secretsmanager").list_secrets(),
    "secretsmanager: make": lambda p: p.aws.client("secretsmanager").create_secret(Name="x", SecretString="x"),
    "ssm: read": lambda p: p.aws.client("ssm").get_parameter(Name="/x"),
    "ssm: write": lambda p: p.aws.client("ssm").put_parameter(Name="/x", Value="x", Type="String"),
    "cloudformation: look": lambda p: p.aws.client("cloudformation").describe_stacks(),
    "cloudformation: delete": lambda p: p.aws.client("cloudformation").delete_stack(StackName=S),
    "logs: read its neighbour's": lambda p: p.aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{p.neighbours_function}"),
    "logs: write to its neighbour's": lambda p: p.aws.client("logs").create_log_stream(
        logGroupName=f"/aws/lambda/{p.neighbours_function}", logStreamName="forged"
    ),
    "logs: delete the API's": lambda p: p.aws.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{S}-api"),
    "dynamodb: list tables": lambda p: p.aws.client("dynamodb").list_tables(),
    "sqs: list queues": lambda p: p.aws.client("sqs").list_queues(),
    "apigateway: list": lambda p: p.aws.client("apigateway").get_rest_apis(),
}


@pytest.mark.parametrize("call", OTHER_CALLS)
def test_everything_else_on_aws_is_closed(prisoner, call):
    assert_refused(lambda: OTHER_CALLS[call](prisoner))


def test_what_was_tried_left_nothing_changed(api, prisoner):
    assert api.plugin(prisoner.own.slug)["status"] == "active"
    assert api.run(f"{prisoner.neighbour.slug}-environment")["STREAMSPACE_PLUGIN"] == prisoner.neighbour.slug
    assert own_package(prisoner) in prisoner.platform.objects()


# Its token of the platform


BEYOND_ITS_SCOPES = {
    "read:sessions": [("GET", "/sessions"), ("GET", "/sessions/any"), ("GET", "/users/admin/sessions")],
    "write:sessions": [("POST", "/sessions"), ("PATCH", "/sessions/any"), ("DELETE", "/sessions/any"), ("POST", "/sessions/any/activity")],
    "write:users": [("POST", "/users"), ("PATCH", "/users/admin"), ("DELETE", "/users/admin")],
    "read:templates": [("GET", "/templates"), ("GET", "/templates/firefox-browser")],
    "write:templates": [("POST", "/templates"), ("PUT", "/templates/firefox-browser"), ("DELETE", "/templates/firefox-browser")],
    "notifications": [("POST", "/notifications"), ("GET", "/notifications")],
    "email": [("POST", "/email")],
    "ui": [("GET", "/ui/extensions")],
}
FOR_PEOPLE_ONLY = [
    ("GET", "/admin/plugins"),
    ("POST", "/admin/plugins/install"),
    ("GET", "/admin/plugins/{own}"),
    ("DELETE", "/admin/plugins/{neighbour}"),
    ("POST", "/admin/plugins/{neighbour}/deactivate"),
    ("GET", "/admin/plugins/{neighbour}/settings"),
    ("PUT", "/admin/plugins/{own}/settings"),
    ("GET", "/admin/plugins/{neighbour}/events"),
    ("GET", "/admin/plugins/{own}/events/dead-letters"),
    ("POST", "/admin/plugins/{own}/events/replay"),
    ("GET", "/admin/plugins/marketplace"),
    ("GET", "/admin/jobs/any"),
    ("GET", "/auth/tokens"),
    ("POST", "/auth/tokens"),
]


@pytest.mark.parametrize(
    ("scope", "method", "path"), [(scope, *request) for scope, requests in BEYOND_ITS_SCOPES.items() for request in requests]
)
def test_beyond_its_scopes_the_missing_one_is_named(prisoner, scope, method, path):
    with pytest.raises(Refused) as refused:
        prisoner.token.ask(method, path, {} if method in ("POST", "PUT", "PATCH") else None)

    assert (refused.value.status, refused.value.code) == (403, "PERMISSION_DENIED")
    assert refused.value.details["scope"] == scope
    assert scope in refused.value.message


@pytest.mark.parametrize(("method", "path"), FOR_PEOPLE_ONLY)
def test_administration_is_closed_to_it(prisoner, method, path):
    path = path.format(own=prisoner.own.slug, neighbour=prisoner.neighbour.slug)

    with pytest.raises(Refused) as refused:
        prisoner.token.ask(method, path, {} if method in ("POST", "PUT", "PATCH") else None)

    assert (refused.value.status, refused.value.code) == (403, "PERMISSION_DENIED")


def test_within_its_scopes_it_may(prisoner):
    assert prisoner.token.get("/users/admin")["username"] == "admin"
    assert prisoner.token.get("/runtime/self")["slug"] == prisoner.own.slug


@pytest.mark.parametrize("key", ["mine", "..%2F{neighbour}%2Fmine", "..%2FSTORAGE%23{neighbour}%2Fmine", "STORAGE%23{neighbour}"])
def test_whatever_key_it_names_is_its_own(prisoner, key):
    # It may be refused as well; what it must not do is to reach what the neighbour stored.
    path = "/storage/" + key.format(neighbour=prisoner.neighbour.slug)

    found = attempt(lambda: prisoner.token.get(path))
    attempt(lambda: prisoner.token.put(path, {"value": prisoner.own.slug}))

    assert found in (None, prisoner.own.slug)
    rows = prisoner.platform.client("dynamodb").query(
        TableName=prisoner.table("Runtime"),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"STORAGE#{prisoner.neighbour.slug}"}},
    )["Items"]
    assert [(row["sk"]["S"], row["value"]["S"]) for row in rows] == [("mine", f'"{prisoner.neighbour.slug}"')]


def test_a_cursor_of_a_neighbours_list_opens_nothing(prisoner, api):
    listed = prisoner.token.get("/storage", prefix="mine")

    assert listed == ["mine"]
    with pytest.raises(Refused) as refused:
        prisoner.token.get("/storage", cursor="eyJwayI6IlNUT1JBR0UjeCIsInNrIjoibWluZSJ9")
    assert refused.value.status == 422


def test_its_token_dies_with_its_activation(api, stack, plugin):
    short_lived = plugin.install(TELLTALE, permissions=SCOPES)
    token = Api(stack.api_url, api.run(f"{short_lived.slug}-environment")["STREAMSPACE_TOKEN"])
    assert token.get("/runtime/self")["slug"] == short_lived.slug

    api.post(f"/admin/plugins/{short_lived.slug}/deactivate")

    with pytest.raises(Refused) as refused:
        token.get("/runtime/self")
    assert (refused.value.status, refused.value.code) == (401, "UNAUTHENTICATED")


def assert_refused(call: Callable[[], Any]) -> None:
    code = refusal(call)
    assert code in REFUSALS, f"AWS answered {code or 'with what was asked for'}"


def attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Refused:
        return None


def own_package(prisoner: Prisoner) -> str:
    (key,) = [key for key in prisoner.platform.objects() if key.startswith(f"packages/{prisoner.own.slug}/")]
    return key


def somebodys_secret(prisoner: Prisoner) -> bytes:
    key = prisoner.parameter("AWS::KMS::Key")
    return prisoner.platform.client("kms").encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]


def assume(prisoner: Prisoner, logical_name: str) -> Any:
    resources = prisoner.platform.client("cloudformation").describe_stack_resources(StackName=S)["StackResources"]
    (name,) = [one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == logical_name]
    return prisoner.aws.client("sts").assume_role(RoleArn=role_arn(name), RoleSessionName="escape")


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{A}:role/{name}"


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{settings.REGION}:{A}:function:{name}"
