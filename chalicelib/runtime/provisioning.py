"""What a plugin has on AWS: a role, a queue, a function, and the mapping between the two.

Promises
    Every function here may be called twice: making what exists, and removing what is gone, are successes.
    The role can read the plugin's own queue and write its own log, and the boundary keeps it there whatever else it were given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.core import aws, config
from chalicelib.core.errors import ServiceUnavailable
from chalicelib.runtime import names
from chalicelib.runtime.limits import DEFAULT, Limits
from chalicelib.runtime.models import RuntimeRow

# AWS refuses a mapping whose queue shows a message again before the function's time is up.
_VISIBILITY_BEYOND_TIMEOUT_S = 5
_RETENTION_S = 14 * 24 * 3600
# The backstop only, and as late as SQS allows (ten hours, a delivery every 35 s): the runtime counts attempts itself, and while the
# platform's API is away nothing can be counted, and nothing must be lost.
_MAX_RECEIVE_COUNT = 1000
_LOG_RETENTION_DAYS = 30
_PATIENCE_S = 60

_RUNTIMES = {"python": "python3.13", "nodejs": "nodejs24.x"}
_LAYERS = {"python": "PYTHON_SDK_LAYER", "nodejs": "NODEJS_SDK_LAYER"}
_HANDLER = "streamspace_shim.handler"


@dataclass(frozen=True)
class Code:
    """The plugin's code bundle, in the packages bucket."""

    bucket: str
    key: str


def create_role(slug: str) -> str:
    """The ARN of the plugin's role."""
    iam = aws.client("iam")
    name = names.role(slug)
    try:
        role = iam.create_role(
            RoleName=name,
            PermissionsBoundary=config.setting("PLUGIN_BOUNDARY_ARN"),
            Description=f"The StreamSpace plugin {slug}",
            AssumeRolePolicyDocument=json.dumps(_policy({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})),
        )["Role"]
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName=name)["Role"]
    queue_arn, log_arn = _arn(role["Arn"], "sqs", names.queue(slug)), _arn(role["Arn"], "logs", f"log-group:{names.log_group(slug)}:*")
    own = _policy(
        {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "Resource": queue_arn},
        {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": log_arn},
    )
    iam.put_role_policy(RoleName=name, PolicyName="own-queue-and-log", PolicyDocument=json.dumps(own))
    return str(role["Arn"])


def delete_role(slug: str) -> None:
    iam = aws.client("iam")
    _unless_gone(lambda: iam.delete_role_policy(RoleName=names.role(slug), PolicyName="own-queue-and-log"))
    _unless_gone(lambda: iam.delete_role(RoleName=names.role(slug)))


def create_queue(slug: str, limits: Limits = DEFAULT) -> str:
    """The URL of the plugin's FIFO queue."""
    redrive = {"deadLetterTargetArn": config.setting("PLUGIN_DEAD_LETTER_QUEUE_ARN"), "maxReceiveCount": _MAX_RECEIVE_COUNT}
    attributes = {
        "FifoQueue": "true",
        "VisibilityTimeout": _visibility_s(limits),
        "MessageRetentionPeriod": str(_RETENTION_S),
        "RedrivePolicy": json.dumps(redrive),
    }
    # A queue of the same name and attributes is the same queue. After a deletion SQS refuses the name for a minute.
    made = _patiently(
        lambda: aws.client("sqs").create_queue(QueueName=names.queue(slug), Attributes=attributes),
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDeletedRecently",
        patience_s=75,
    )
    return str(made["QueueUrl"])


def queue_url(slug: str) -> str | None:
    sqs = aws.client("sqs")
    found = _unless_gone(lambda: sqs.get_queue_url(QueueName=names.queue(slug)))
    return str(found["QueueUrl"]) if found else None


def delete_queue(slug: str) -> None:
    url = queue_url(slug)
    if url is not None:
        _unless_gone(lambda: aws.client("sqs").delete_queue(QueueUrl=url))


def purge_queue(slug: str) -> None:
    """Drop what waits: a plugin that was switched off must not be sent it when it is switched on again."""
    url = queue_url(slug)
    if url is not None:
        # "Purged within the last minute" is what was wanted.
        _unless_gone(
            lambda: aws.client("sqs").purge_queue(QueueUrl=url), "AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress"
        )


def create_function(slug: str, runtime: str, code: Code, role_arn: str, environment: dict[str, str], limits: Limits = DEFAULT) -> str:
    """The ARN of the plugin's function, ready to be called. A function of that name left by a killed step gets this code."""
    functions = aws.client("lambda")
    name = names.function(slug)
    _unless_exists(lambda: aws.client("logs").create_log_group(logGroupName=names.log_group(slug)))
    aws.client("logs").put_retention_policy(logGroupName=names.log_group(slug), retentionInDays=_LOG_RETENTION_DAYS)
    wanted = {
        "FunctionName": name,
        "Runtime": _RUNTIMES[runtime],
        "Handler": _HANDLER,
        "Role": role_arn,
        "Timeout": limits.timeout_s,
        "MemorySize": limits.memory_mb,
        "Layers": [config.setting(_LAYERS[runtime])],
        "Environment": {"Variables": environment},
    }

    def create() -> Any:
        return functions.create_function(**wanted, Code={"S3Bucket": code.bucket, "S3Key": code.key})

    try:
        # A new role takes some seconds to be known everywhere; until then Lambda says that it cannot assume it.
        made = _patiently(create, "InvalidParameterValueException")
    except functions.exceptions.ResourceConflictException:
        _settled(name)
        made = functions.update_function_code(FunctionName=name, S3Bucket=code.bucket, S3Key=code.key)
        _settled(name)
        functions.update_function_configuration(**wanted)
    _settled(name)
    return str(made["FunctionArn"])


def environment(slug: str) -> dict[str, str]:
    """All but the token, which each activation makes anew. Source: ``docs/runtime-protocol.md``, The function."""
    platform = {"namespace": config.namespace(), "ingressDomain": config.ingress_domain(), "hibernationEnabled": True}
    return {
        "STREAMSPACE_API_URL": config.setting("API_URL"),
        "STREAMSPACE_PLUGIN": slug,
        "STREAMSPACE_VERSION": config.PLATFORM_VERSION,
        "STREAMSPACE_CONFIG": json.dumps(platform),
    }


def refresh_function(slug: str, runtime: str) -> bool:
    """Give the function the present SDK and environment, with the token that it has; whether it had others. Where there is none: False."""
    functions = aws.client("lambda")
    name = names.function(slug)
    now = _unless_gone(lambda: functions.get_function_configuration(FunctionName=name))
    if now is None:
        return False
    before = now.get("Environment", {}).get("Variables", {})
    kept = {key: value for key, value in before.items() if key == "STREAMSPACE_TOKEN"}
    variables, layer = {**environment(slug), **kept}, config.setting(_LAYERS[runtime])
    if before == variables and [one["Arn"] for one in now.get("Layers", [])] == [layer]:
        return False
    wanted = {"FunctionName": name, "Environment": {"Variables": variables}, "Layers": [layer]}
    _patiently(lambda: functions.update_function_configuration(**wanted), "ResourceConflictException")
    _settled(name)
    return True


def delete_function(slug: str) -> None:
    """The mapping, the function and its log."""
    functions = aws.client("lambda")
    found = _unless_gone(lambda: functions.list_event_source_mappings(FunctionName=names.function(slug))) or {}
    for mapping in found.get("EventSourceMappings", []):
        _delete_mapping(mapping["UUID"])
    RuntimeRow(f"RESOURCES#{slug}", "MAPPING").delete()
    _unless_gone(lambda: functions.delete_function(FunctionName=names.function(slug)))
    _unless_gone(lambda: aws.client("logs").delete_log_group(logGroupName=names.log_group(slug)))


def _delete_mapping(mapping_id: str) -> None:
    functions = aws.client("lambda")
    # A mapping that is still changing state cannot be deleted yet.
    _patiently(lambda: _unless_gone(lambda: functions.delete_event_source_mapping(UUID=mapping_id)), "ResourceInUseException")


def create_mapping(slug: str, queue: str, limits: Limits = DEFAULT) -> None:
    """From the queue to the function; off until the plugin is activated."""
    functions = aws.client("lambda")
    existing = functions.list_event_source_mappings(FunctionName=names.function(slug)).get("EventSourceMappings", [])
    if existing:
        mapping = existing[0]
    else:
        arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mapping = _patiently(
            lambda: functions.create_event_source_mapping(
                EventSourceArn=arn,
                FunctionName=names.function(slug),
                BatchSize=10,  # FIFO allows no more
                Enabled=False,
                # Without it Lambda ignores the list of failures, and deletes failed messages.
                FunctionResponseTypes=["ReportBatchItemFailures"],
                ScalingConfig={"MaximumConcurrency": limits.concurrency},
            ),
            "InvalidParameterValueException",
        )
    RuntimeRow(f"RESOURCES#{slug}", "MAPPING", body=mapping["UUID"]).save()


def switch_deliveries(slug: str, *, on: bool) -> None:
    """Let events flow from the queue to the function, or let them wait in the queue."""
    _update_mapping(slug, Enabled=on)


def _update_mapping(slug: str, **changes: Any) -> None:
    """Where there is none, there is nothing to change."""
    try:
        mapping_id = RuntimeRow.get(f"RESOURCES#{slug}", "MAPPING", consistent_read=True).body
    except RuntimeRow.DoesNotExist:
        return
    functions = aws.client("lambda")
    _patiently(lambda: _unless_gone(lambda: functions.update_event_source_mapping(UUID=mapping_id, **changes)), "ResourceInUseException")


def apply_limits(slug: str, limits: Limits) -> None:
    """Bring what runs in line with ``limits``; calls that have begun end under the old ones. May be done twice, also to what is gone."""
    functions, queues = aws.client("lambda"), aws.client("sqs")
    name, url = names.function(slug), queue_url(slug)
    state = _unless_gone(lambda: functions.get_function_configuration(FunctionName=name))
    if state is None or url is None:
        return

    def set_visibility() -> None:
        _unless_gone(lambda: queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": _visibility_s(limits)}))

    # The queue's patience is never shorter than the function's time: it grows first, and shrinks last.
    grows = limits.timeout_s > state["Timeout"]
    if grows:
        set_visibility()
    if (state["Timeout"], state["MemorySize"]) != (limits.timeout_s, limits.memory_mb):
        wanted = {"FunctionName": name, "Timeout": limits.timeout_s, "MemorySize": limits.memory_mb}
        _patiently(lambda: functions.update_function_configuration(**wanted), "ResourceConflictException")
        _settled(name)
    if not grows:
        set_visibility()
    _update_mapping(slug, ScalingConfig={"MaximumConcurrency": limits.concurrency})


def _visibility_s(limits: Limits) -> str:
    return str(limits.timeout_s + _VISIBILITY_BEYOND_TIMEOUT_S)


def set_token(slug: str, token: str) -> str:
    """Give the function its plugin's token, beside what its environment has; returns its ARN when the next call will see the token."""
    functions = aws.client("lambda")
    name = names.function(slug)
    now = functions.get_function_configuration(FunctionName=name)
    variables = {**now.get("Environment", {}).get("Variables", {}), "STREAMSPACE_TOKEN": token}
    _patiently(
        lambda: functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables}),
        "ResourceConflictException",
    )
    _settled(name)
    return str(now["FunctionArn"])


def function_arn(slug: str) -> str:
    return str(aws.client("lambda").get_function_configuration(FunctionName=names.function(slug))["FunctionArn"])


def _settled(name: str) -> None:
    """Wait until the function can be called and changed."""
    functions = aws.client("lambda")
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        state = functions.get_function_configuration(FunctionName=name)
        if state.get("State", "Active") == "Failed" or state.get("LastUpdateStatus") == "Failed":
            raise ServiceUnavailable(f"Lambda could not make {name}: {state.get('StateReason') or state.get('LastUpdateStatusReason')}")
        if state.get("State", "Active") == "Active" and state.get("LastUpdateStatus", "Successful") == "Successful":
            return
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"Lambda has not made {name} ready within {_PATIENCE_S} s")
        time.sleep(0.3)


def _patiently(call: Callable[[], Any], *transient: str, patience_s: float = _PATIENCE_S / 2) -> Any:
    """Call again, for up to ``patience_s``, while AWS answers one of these codes."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except Exception as error:
            if aws.error_code(error) not in transient or time.monotonic() > deadline:
                raise
            time.sleep(1)


_GONE = ("ResourceNotFoundException", "NoSuchEntity", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def _unless_gone(call: Callable[[], Any], *also: str) -> Any:
    try:
        return call()
    except Exception as error:
        if aws.error_code(error) not in (*_GONE, *also):
            raise
        return None


def _unless_exists(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:
        if aws.error_code(error) != "ResourceAlreadyExistsException":
            raise


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}


def _arn(like: str, service: str, resource: str) -> str:
    """An ARN in the account and partition of ``like``, in our own region."""
    _, partition, _, _, account, _ = like.split(":", 5)
    return f"arn:{partition}:{service}:{aws.client('sqs').meta.region_name}:{account}:{resource}"
