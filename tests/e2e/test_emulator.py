"""What the emulated AWS holds is there again after ``kill -9``, and work that was under way goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from local import emulator, ports, settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

COPIER = """
import json, os, boto3, greeting
table = boto3.resource("dynamodb").Table("seen")
def handler(event, context):
    for record in event["Records"]:
        table.put_item(Item={"name": record["dynamodb"]["Keys"]["name"]["S"], "said": greeting.HELLO})
"""

TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
MAY_COPY = {"Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
WAITING = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": {"well": True}, "End": True}}}
STACK = {"Resources": {"Topic": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/made", "Type": "String", "Value": "1"}}}}


class Machine:
    """An emulator in its own process, with its own state folder, that can be killed and started again."""

    def __init__(self, state: Path, venvs: Path) -> None:
        self.state = state
        self.venvs = venvs
        self.port = ports.chosen(state / "ports.json", ("emulator",))["emulator"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = emulator.environment(self.port, self.state, os.environ["PATH"])
        environment["SNAPSHOT_INTERVAL_S"] = "0.5"
        environment["LAMBDA_PYTHON"] = str(self.venvs / "lambda-venv" / "bin" / "python")
        with (self.state / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.venvs / "emulator-venv" / "bin" / "python"), "-m", "local.emulator", str(self.state)],
                cwd=settings.CHECKOUT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, 60)

    def kill(self) -> None:
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def client(self, service: str, **credentials: str):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} | credentials
        url = f"http://{settings.HOST}:{self.port}"
        return boto3.client(service, endpoint_url=url, region_name=settings.REGION, **keys)

    def wait_for_snapshot(self) -> None:
        """Until everything that was there when this was called has been saved."""
        ssm, mark = self.client("ssm"), f"{time.time_ns()}"
        ssm.put_parameter(Name="/mark", Value=mark, Type="String", Overwrite=True)
        saved = self.state / "state" / "current" / "ssm.json"
        until(lambda: saved.exists() and mark in saved.read_text(), 30)

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.state / "log").read_text()[-2000:]
        with suppress(OSError):
            return urllib.request.urlopen(f"http://{settings.HOST}:{self.port}/_ministack/ready").status == 200
        return False


def until(question, timeout_s: float = 20):
    ends = time.monotonic() + timeout_s
    while not (answer := question()):
        assert time.monotonic() < ends, "it did not become so in time"
        time.sleep(0.1)
    return answer


@pytest.fixture(scope="module")
def venvs() -> Path:
    """The checkout's emulator environments, made if they are not there."""
    layout = settings.layout()
    for folder, requirements in (
        (layout.emulator_venv, "emulator-requirements.txt"),
        (layout.lambda_venv, "lambda-requirements.txt"),
    ):
        command = [sys.executable, "local/environment.py", str(folder), f"local/{requirements}"]
        subprocess.run(command, cwd=settings.CHECKOUT, check=True)
    return layout.root


@pytest.fixture
def machine(tmp_path: Path, venvs: Path):
    made = Machine(tmp_path, venvs)
    made.start()
    yield made
    made.stop()


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return made.getvalue()


def make_copier(machine: Machine) -> None:
    """Two tables, and a function that copies what its stream tells from one to the other; its layer says hello."""
    iam, functions, dynamodb = machine.client("iam"), machine.client("lambda"), machine.client("dynamodb")
    role = iam.create_role(RoleName="copier", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="copier", PolicyName="copy", PolicyDocument=json.dumps(MAY_COPY))
    for name in ("said", "seen"):
        stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"} if name == "said" else {"StreamEnabled": False}
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            StreamSpecification=stream,
        )
    layer = functions.publish_layer_version(LayerName="greeting", Content={"ZipFile": zipped(python__greeting="HELLO = 'hello'")})
    functions.create_function(
        FunctionName="copier",
        Runtime="python3.12",
        Handler="copier.handler",
        Role=role,
        Timeout=10,
        Code={"ZipFile": zipped(copier=COPIER)},
        Layers=[layer["LayerVersionArn"]],
    )


def listen(machine: Machine) -> None:
    arn = machine.client("dynamodb").describe_table(TableName="said")["Table"]["LatestStreamArn"]
    machine.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName="copier", StartingPosition="TRIM_HORIZON", BatchSize=10
    )


def say(machine: Machine, *names: str) -> None:
    for name in names:
        machine.client("dynamodb").put_item(TableName="said", Item={"name": {"S": name}})


def seen(machine: Machine) -> set[str]:
    items = machine.client("dynamodb").scan(TableName="seen")["Items"]
    return {item["name"]["S"] for item in items if item["said"]["S"] == "hello"}


def test_no_event_is_lost_or_skipped_by_a_crash(machine):
    make_copier(machine)
    listen(machine)
    say(machine, *(f"before-{number}" for number in range(5)))
    until(lambda: len(seen(machine)) == 5)
    machine.wait_for_snapshot()

    machine.kill()
    machine.start()
    say(machine, "after-1", "after-2")

    until(lambda: {"after-1", "after-2"} <= seen(machine))
    assert len(seen(machine)) == 7


def test_events_that_nobody_had_read_yet_are_read_after_the_crash(machine):
    make_copier(machine)
    say(machine, "unread-1", "unread-2")
    machine.wait_for_snapshot()

    machine.kill()
    machine.start()
    listen(machine)

    until(lambda: seen(machine) == {"unread-1", "unread-2"})


def test_messages_in_flight_come_back_in_order(machine):
    sqs = machine.client("sqs")
    fifo = {"FifoQueue": "true", "VisibilityTimeout": "6", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="work.fifo", Attributes=fifo)["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="g")
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    machine.wait_for_snapshot()

    machine.kill()
    machine.start()

    def received():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [message["Body"] for message in messages]

    assert until(received, 30) == ["0", "1", "2"]


def test_everything_that_was_made_is_there_again(machine):
    kms, ssm, iam = machine.client("kms"), machine.client("ssm"), machine.client("iam")
    states, scheduler, gateway = (
        machine.client("stepfunctions"),
        machine.client("scheduler"),
        machine.client("apigateway"),
    )
    s3, formation = machine.client("s3"), machine.client("cloudformation")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    context = {"plugin": "welcome-mailer"}
    secret = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
    ssm.put_parameter(Name="/kept", Value="1", Type="SecureString")
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.create_user(UserName="reader")
    may_read = {"Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(may_read))
    access = iam.create_access_key(UserName="reader")["AccessKey"]
    machine_arn = states.create_state_machine(name="jobs", definition=json.dumps(WAITING), roleArn=role)["stateMachineArn"]
    scheduler.create_schedule(
        Name="daily",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine_arn, "RoleArn": role},
    )
    api = gateway.create_rest_api(name="api")["id"]
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key="a/b.zip", Body=b"bytes", Metadata={"sha256": "0"})
    formation.create_stack(StackName="made", TemplateBody=json.dumps(STACK))
    formation.get_waiter("stack_create_complete").wait(StackName="made", WaiterConfig={"Delay": 1})
    machine.wait_for_snapshot()

    machine.kill()
    machine.start()

    assert kms.decrypt(CiphertextBlob=secret, EncryptionContext=context)["Plaintext"] == b"secret"
    assert ssm.get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"] == "1"
    reader = machine.client("ssm", aws_access_key_id=access["AccessKeyId"], aws_secret_access_key=access["SecretAccessKey"])
    assert reader.get_parameter(Name="/made")["Parameter"]["Value"] == "1"
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.delete_parameter(Name="/made")
    execution = states.start_execution(stateMachineArn=machine_arn)["executionArn"]
    until(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    assert scheduler.get_schedule(Name="daily")["ScheduleExpression"] == "rate(1 day)"
    assert gateway.get_rest_api(restApiId=api)["name"] == "api"
    stored = s3.get_object(Bucket="packages", Key="a/b.zip")
    assert (stored["Body"].read(), stored["Metadata"]) == (b"bytes", {"sha256": "0"})
    (stack,) = formation.describe_stacks(StackName="made")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_function_finds_its_own_package_and_aws_sdk_and_nothing_of_the_emulator(machine):
    role = machine.client("iam").create_role(RoleName="looker", AssumeRolePolicyDocument=json.dumps(TRUST))
    look = (
        "import importlib.util, os\n"
        "def handler(event, context):\n"
        "    return {'found': [name for name in event['names'] if importlib.util.find_spec(name)],\n"
        "            'key': os.environ['AWS_ACCESS_KEY_ID']}\n"
    )
    functions = machine.client("lambda")
    functions.create_function(
        FunctionName="looker",
        Runtime="python3.12",
        Handler="look.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped(look=look)},
    )

    names = ["boto3", "look", "ministack", "local", "chalicelib", "jsonschema", "yaml", "cryptography", "pydantic"]
    answer = functions.invoke(FunctionName="looker", Payload=json.dumps({"names": names}))
    found = json.loads(answer["Payload"].read())

    assert found["found"] == ["boto3", "look"]
    assert found["key"].startswith("ASIA")


def test_a_clean_stop_saves_what_no_snapshot_had_yet(machine):
    machine.client("ssm").put_parameter(Name="/last", Value="moment", Type="String")

    machine.stop()
    machine.start()

    assert machine.client("ssm").get_parameter(Name="/last")["Parameter"]["Value"] == "moment"


def test_it_stops_by_itself_when_its_supervisor_is_gone(machine):
    machine.process.stdin.close()

    assert machine.process.wait(timeout=20) == 0


def test_what_functions_print_reaches_their_log_completely(machine):
    role = machine.client("iam").create_role(RoleName="talker", AssumeRolePolicyDocument=json.dumps(TRUST))
    talk = "def handler(event, context):\n    for each in 'abc':\n        print('said', event['number'], each)\n"
    functions, logs = machine.client("lambda"), machine.client("logs")
    functions.create_function(
        FunctionName="talker",
        Runtime="python3.12",
        Handler="talk.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped(talk=talk)},
    )

    for number in range(20):
        functions.invoke(FunctionName="talker", Payload=json.dumps({"number": number}))

    def said():
        events = logs.filter_log_events(logGroupName="/aws/lambda/talker", limit=1000)["events"]
        lines = [line for event in events for line in event["message"].splitlines()]
        return [line for line in lines if line.startswith("said")]

    until(lambda: len(said()) == 60)
    assert len(set(said())) == 60
