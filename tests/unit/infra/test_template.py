"""What CloudFormation gets: sound, least-privileged, and in step with the code."""

import json
import re
import subprocess
import sys

import pytest

from chalicelib.jobs import SAGAS
from infra import build

# Statements whose resource cannot be named, and why.
ANYTHING = {
    ("SecretsKey", "kms:*"): "a key's policy speaks of the key itself",
    ("ApiRole", "ses:SendRawEmail"): "the identity is optional, and SES also wants the recipients' while it is in its sandbox",
    ("ApiRole", "lambda:UpdateEventSourceMapping lambda:GetEventSourceMapping"): "ids that nobody knows beforehand; held by a condition",
    (
        "JobStepRole",
        "lambda:CreateEventSourceMapping lambda:DeleteEventSourceMapping lambda:UpdateEventSourceMapping lambda:GetEventSourceMapping",
    ): "ids that nobody knows beforehand; held by a condition",
    ("LicenseCheckRole", "lambda:UpdateEventSourceMapping lambda:GetEventSourceMapping"): "as with the API's",
    ("SweeperRole", "lambda:UpdateEventSourceMapping lambda:GetEventSourceMapping"): "as with the API's",
    ("JobStepRole", "lambda:ListEventSourceMappings"): "AWS holds lists to no resource",
}

# What each function's code asks of its environment. A setting that is not needed is a door that need not be there.
TABLES = {
    "APIHandler": {"ACCOUNTS", "SESSIONS", "MESSAGING", "PLUGINS", "MARKETPLACE", "RUNTIME", "JOBS", "EVENTS", "WEBHOOKS", "LICENSES"},
    "Dispatcher": {"EVENTS", "RUNTIME", "WEBHOOKS"},
    "SessionWorker": {"SESSIONS", "EVENTS"},
    "SessionSweeper": {"ACCOUNTS", "MESSAGING", "SESSIONS", "EVENTS"},
    "JobStep": {"ACCOUNTS", "PLUGINS", "MARKETPLACE", "RUNTIME", "JOBS", "EVENTS", "LICENSES"},
    "DeadLetters": {"EVENTS", "RUNTIME"},
    "EmailFeedback": {"MESSAGING"},
    "Sweeper": {"ACCOUNTS", "MESSAGING", "PLUGINS", "RUNTIME", "EVENTS", "JOBS", "WEBHOOKS"},
    "WebhookFanout": {"WEBHOOKS"},
    "LicenseCheck": {"ACCOUNTS", "PLUGINS", "MESSAGING", "RUNTIME", "EVENTS", "LICENSES"},
    "UpdateCheck": {"PLUGINS", "RUNTIME", "JOBS", "MESSAGING", "MARKETPLACE"},
    "WebhookSender": {"MESSAGING", "WEBHOOKS"},
}
_LICENSES = {"LICENSE_SERVICE_URL", "LICENSE_PUBLIC_KEY", "LICENSE_GRACE_DAYS"}
_WEBHOOK_QUEUES = {"WEBHOOK_DELIVERIES_QUEUE_URL", "WEBHOOK_SLOW_QUEUE_URL"}
SETTINGS = {
    "APIHandler": {"STATE_MACHINES", "PACKAGES_BUCKET", "SECRETS_KEY_ID", "SCHEDULER_ROLE_ARN", "MARKETPLACE_URL", "MARKETPLACE_PUBLIC_KEY"}
    | {
        "RATE_LIMITS",
        "PUBLIC_API_URL",
        "IMAGE_REGISTRIES",
        "EMAIL_SENDER",
        "EMAIL_DOMAIN",
        "EMAIL_CONFIGURATION_SET",
        "CLUSTER_GROWS",
        "NAMESPACE",
        "INGRESS_DOMAIN",
        "ENVIRONMENT",
        *_LICENSES,
        *_WEBHOOK_QUEUES,
    },
    "Dispatcher": {"HOP_LIMIT", "SESSIONS_QUEUE_URL", "WEBHOOK_EVENTS_QUEUE_URL"},
    "SessionWorker": {"SESSION_CHECKS_QUEUE_URL", "KUBERNETES_URL", "KUBECONFIG", "EKS_CLUSTER", "NAMESPACE", "INGRESS_DOMAIN"}
    | {"INGRESS_CLASS", "INGRESS_CONTROLLERS", "STORAGE_CLASS", "INGRESS_CIDRS", "CLUSTER_GROWS", "ENVIRONMENT", "API_URL"},
    "SessionSweeper": {"SESSION_CHECKS_QUEUE_URL", "KUBERNETES_URL", "KUBECONFIG", "EKS_CLUSTER", "NAMESPACE", "INGRESS_DOMAIN"}
    | {"INGRESS_CLASS", "INGRESS_CONTROLLERS", "INGRESS_CIDRS", "CLUSTER_GROWS", "ENVIRONMENT", "API_URL"},
    "JobStep": {
        "PACKAGES_BUCKET",
        "SECRETS_KEY_ID",
        "SCHEDULER_ROLE_ARN",
        "MARKETPLACE_URL",
        "MARKETPLACE_PUBLIC_KEY",
        "PLUGIN_BOUNDARY_ARN",
        *_LICENSES,
    }
    | {"PLUGIN_DEAD_LETTER_QUEUE_ARN", "PYTHON_SDK_LAYER", "NODEJS_SDK_LAYER", "API_URL", "NAMESPACE", "INGRESS_DOMAIN", "ENVIRONMENT"},
    "DeadLetters": set(),
    "EmailFeedback": set(),
    "Sweeper": {"STATE_MACHINES", "PACKAGES_BUCKET", *_WEBHOOK_QUEUES},
    "WebhookFanout": _WEBHOOK_QUEUES,
    "LicenseCheck": {"SECRETS_KEY_ID", "ENVIRONMENT", *_LICENSES},
    "UpdateCheck": {"MARKETPLACE_URL", "MARKETPLACE_PUBLIC_KEY", "STATE_MACHINES", "ENVIRONMENT"},
    "WebhookSender": {"SECRETS_KEY_ID", "ENVIRONMENT", *_WEBHOOK_QUEUES},
}
FUNCTIONS = list(TABLES)


@pytest.fixture(scope="session")
def resources(template):
    return template["Resources"]


def of_type(resources, kind):
    return {name: one for name, one in resources.items() if one["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


def variables(function):
    found = {name: value for name, value in function["Properties"]["Environment"]["Variables"].items() if name.startswith("STREAMSPACE_")}
    return {name.removeprefix("STREAMSPACE_"): value for name, value in found.items()}


def statements(resources):
    """``(owner, statement)`` for each statement of every role, managed policy and key."""
    for name, one in resources.items():
        properties = one.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties[key] for key in ("PolicyDocument", "KeyPolicy") if key in properties]
        for document in documents:
            for statement in document["Statement"]:
                # A statement may be there under a condition of the template.
                chosen = statement.get("Fn::If", [None, statement])[1]
                yield name, chosen


def test_cfn_lint_finds_nothing(template_file):
    done = subprocess.run(
        [sys.executable, "-c", "from cfnlint.runner import main; main()", "--non-zero-exit-code", "informational", str(template_file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_function_has_a_role_of_its_own(resources):
    roles = {name: json.dumps(one["Properties"]["Role"]) for name, one in of_type(resources, "AWS::Serverless::Function").items()}

    assert sorted(roles) == sorted(FUNCTIONS)
    assert len(set(roles.values())) == len(roles)
    assert all(json.loads(role)["Fn::GetAtt"][0] in resources for role in roles.values())


def test_a_statement_about_anything_is_one_of_the_few_with_a_reason(resources):
    found = {
        (owner, " ".join(listed(statement["Action"])))
        for owner, statement in statements(resources)
        if "*" in [one for one in listed(statement["Resource"]) if isinstance(one, str)]
    }

    assert found == set(ANYTHING)


def test_no_action_is_a_whole_service_but_the_keys_own(resources):
    broad = {
        (owner, action)
        for owner, statement in statements(resources)
        for action in listed(statement["Action"])
        if re.search(r"[:]\*|^\*", action)
    }

    assert broad == {("SecretsKey", "kms:*")}


def test_statements_about_mappings_are_held_to_plugins_functions_on_aws(resources):
    for owner, statement in statements(resources):
        if statement["Resource"] == "*" and "EventSourceMapping" in str(statement["Action"]) and "List" not in str(statement["Action"]):
            condition, on_aws, locally = statement["Condition"]["Fn::If"]
            assert condition == "IamIsReal", owner
            assert "-plugin-*" in json.dumps(on_aws["ArnLike"]["lambda:FunctionArn"])
            assert locally == {"Ref": "AWS::NoValue"}


def test_on_aws_a_role_is_made_and_changed_only_under_the_boundary(resources, template):
    makers = [
        (owner, statement)
        for owner, statement in statements(resources)
        if {"iam:CreateRole", "iam:PutRolePolicy"} & set(listed(statement["Action"]))
    ]

    ((owner, statement),) = makers
    assert owner == "JobStepRole"
    assert statement["Condition"]["Fn::If"] == [
        "IamIsReal",
        {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "PluginBoundary"}}},
        {"Ref": "AWS::NoValue"},
    ]
    assert template["Conditions"]["IamIsReal"] == {"Fn::Equals": [{"Ref": "IamIsEmulated"}, "false"]}
    assert template["Parameters"]["IamIsEmulated"]["Default"] == "false"


def test_nobody_may_change_a_boundary_and_no_plugin_gets_beyond_queue_and_log(resources):
    actions = {action for _, statement in statements(resources) for action in listed(statement["Action"])}
    boundary = {action for owner, statement in statements(resources) if owner == "PluginBoundary" for action in listed(statement["Action"])}

    assert not {
        action for action in actions if action.startswith("iam:") and re.search("Boundary|Attach|CreatePolicy|UpdateAssume", action)
    }
    assert boundary == {
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "logs:CreateLogStream", "logs:PutLogEvents"
    }  # fmt: skip


def test_a_role_is_passed_only_to_the_service_that_it_is_for(resources):
    for _, statement in statements(resources):
        if "iam:PassRole" in listed(statement["Action"]):
            assert set(statement["Condition"]["StringEquals"]) == {"iam:PassedToService"}
            assert statement["Resource"] != "*"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_the_settings_that_its_code_needs_and_no_others(resources, function):
    given = variables(resources[function])

    assert {name for name in given if name.endswith("_TABLE")} == {f"{name}_TABLE" for name in TABLES[function]}
    assert {name for name in given if not name.endswith("_TABLE")} == SETTINGS[function] | {"STACK"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_use_the_tables_that_it_is_given(resources, function):
    """A table that is named to a function and not in its role, or the other way about, is a mistake."""
    role = resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    allowed = {
        name
        for owner, statement in statements(resources)
        if owner == role and any(action.startswith("dynamodb:") for action in listed(statement["Action"]))
        for name in re.findall(r"(\w+)Table", json.dumps(statement["Resource"]))
    }

    assert {name.upper() for name in allowed} == TABLES[function]


def test_every_setting_that_is_given_is_read_by_some_code_and_the_other_way_about(resources):
    code = "\n".join(path.read_text() for path in (build.ROOT / "chalicelib").rglob("*.py"))
    read = set(re.findall(r"""(?:setting|table)\(\s*"([A-Z_]+)\"""", code)) | set(re.findall(r'"(\w+_SDK_LAYER)"', code))
    given = {name for function in FUNCTIONS for name in variables(resources[function])}

    assert given == read


@pytest.mark.parametrize("saga", SAGAS.values(), ids=lambda saga: saga.name)
def test_a_state_machine_is_its_saga(resources, saga):
    properties = resources[f"{saga.name.title()}StateMachine"]["Properties"]

    assert json.loads(properties["DefinitionString"]) == saga.state_machine("${JobStepArn}")
    assert properties["DefinitionSubstitutions"] == {"JobStepArn": {"Fn::GetAtt": ["JobStep", "Arn"]}}
    assert properties["StateMachineName"] == {"Fn::Sub": f"${{AWS::StackName}}-{saga.name}"}


def test_there_is_one_state_machine_for_each_saga_and_both_who_start_them_may_start_each(resources):
    assert len(of_type(resources, "AWS::StepFunctions::StateMachine")) == len(SAGAS)
    for role in ("ApiRole", "SweeperRole"):
        (started,) = [one for owner, one in statements(resources) if owner == role and "states:StartExecution" in listed(one["Action"])]
        assert {text["Fn::Sub"].rpartition("-")[2] for text in started["Resource"]} == set(SAGAS)


def test_a_step_ends_before_its_state_machine_gives_up_on_it(resources):
    for saga in SAGAS.values():
        states = saga.state_machine("arn")["States"].values()
        assert all(state["TimeoutSeconds"] > resources["JobStep"]["Properties"]["Timeout"] for state in states if state["Type"] == "Task")


def test_every_source_with_partial_failures_reports_them(resources):
    """Without it the returned list is ignored, and failed messages are deleted."""
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping")
    queues = {name: one["Properties"] for name, one in mappings.items() if "Queue" in json.dumps(one["Properties"]["EventSourceArn"])}

    assert len(queues) == 7
    assert all(one["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for one in queues.values())


def test_a_queue_shows_a_message_again_only_six_times_its_functions_time_later(resources):
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    for mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").values():
        source = mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"]
        if source[1] == "Arn":
            function = resources[mapping["Properties"]["FunctionName"]["Ref"]]
            assert resources[source[0]]["Properties"]["VisibilityTimeout"] >= 6 * function["Properties"]["Timeout"]


def test_what_holds_data_outlives_the_stack_and_is_encrypted(resources):
    tables = of_type(resources, "AWS::DynamoDB::Table")
    for one in [*tables.values(), resources["PackagesBucket"]]:
        assert one["DeletionPolicy"] == one["UpdateReplacePolicy"] == "Retain"
    for table in tables.values():
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


def test_every_path_and_method_comes_to_the_function(resources):
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]

    assert set(paths) == {"/", "/{proxy+}"}
    for methods in paths.values():
        assert set(methods) == {"get", "post", "put", "patch", "delete", "head", "options"}
    assert paths["/{proxy+}"]["get"]["parameters"][0]["name"] == "proxy"
    assert resources["RestAPI"]["Properties"]["BinaryMediaTypes"] == ["*/*"], "bytes go out as bytes, whatever the caller accepts"


def test_each_artifact_is_a_parameter_that_a_function_or_layer_takes(template):
    text = json.dumps(template["Resources"])
    keys = [name for name, one in template["Parameters"].items() if str(one.get("Default", "")).endswith(".zip")]

    assert sorted(keys) == ["DeploymentKey", "KubernetesKey", "NodejsSdkKey", "PythonSdkKey"]
    assert all(f'{{"Ref": "{key}"}}' in text for key in keys)


def test_the_template_is_the_same_each_time(chalice_template, template):
    from tests.unit.infra.conftest import NAMES

    assert json.dumps(build.template(NAMES, json.loads(json.dumps(chalice_template)))) == json.dumps(template)


@pytest.mark.parametrize(("name", "is_taken"), [("", True), ("nginx", True), ("albatross", True), ("my-alb", True), ("alb", False)])
def test_a_class_that_would_leave_sessions_open_is_no_parameter(template, name, is_taken):
    pattern = template["Parameters"]["IngressClass"]["AllowedPattern"]

    assert (re.fullmatch(pattern, name) is not None) is is_taken
