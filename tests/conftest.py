"""What every test may stand on: a platform whose AWS is moto, in process, with the tables of the template itself."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from tests import simulated_aws

ROOT = Path(__file__).parent.parent
_REGION = "us-east-1"


def pytest_configure() -> None:
    """A shell that starts us in the background has us ignore Ctrl-C; what we start would inherit that, and tests send it Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes says something of the machine, and nothing of the code.
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many faults of jobs were tried (``tests/integration/jobs``), and of how many the end was clean; by all workers together."""
    ended = {
        outcome: sum(name == "fault" for report in terminalreporter.stats.get(outcome, []) for name, _ in report.user_properties)
        for outcome in ("passed", "failed")
    }
    if any(ended.values()):
        terminalreporter.write_line(f"{sum(ended.values())} faults of jobs were tried; {ended['passed']} ended clean")


@cache
def template_resources(kind: str) -> dict[str, Any]:
    """The resources of one CloudFormation type in the platform's template: logical id -> properties."""

    class Loader(yaml.SafeLoader):
        pass

    # Intrinsic functions (!Ref, !Sub …) are not needed here: their text will do.
    Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix}")
    template = yaml.load((ROOT / "infra/template.yaml").read_text(), Loader)
    return {name: one["Properties"] for name, one in template["Resources"].items() if one.get("Type") == kind}


def variable_of(table: str) -> str:
    """``AccountsTable`` -> ``STREAMSPACE_ACCOUNTS_TABLE``."""
    return "STREAMSPACE_" + re.sub(r"(?<!^)(?=[A-Z])", "_", table).upper()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: tests also wait, for timers, for threads and for processes of their own."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def _quick_moto() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        simulated_aws.state_machines_parsed_once(monkeypatch)
        simulated_aws.one_client_for_state_machines(monkeypatch)
        simulated_aws.one_rsa_key(monkeypatch)
        simulated_aws.state_machines_checked_once(monkeypatch)
        simulated_aws.calls_that_carry_only_what_is_read(monkeypatch)
        yield


@pytest.fixture
def aws(_quick_moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """moto's AWS, empty but for the platform's tables; the environment as a function of the platform has it.

    Clients outlive a test, as they outlive a request: making them anew is half of a test's time.
    """
    from moto import mock_aws

    from chalicelib.accounts import allowed
    from chalicelib.core import aws as doors

    # What a container knows for a second is another test's world.
    allowed.forget()
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", _REGION)
    monkeypatch.setenv("AWS_REGION", _REGION)
    monkeypatch.setenv("STREAMSPACE_STACK", "test")
    monkeypatch.setenv("STREAMSPACE_ENVIRONMENT", "local")
    # A test asks more in a second than people do in a minute; those of the limits switch them on.
    monkeypatch.setenv("STREAMSPACE_RATE_LIMITS", "off")
    with mock_aws():
        simulated_aws.one_call_at_a_time(monkeypatch)
        dynamodb = doors.client("dynamodb")
        for name, properties in template_resources("AWS::DynamoDB::Table").items():
            monkeypatch.setenv(variable_of(name), f"test-{name}")
            kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
            dynamodb.create_table(TableName=f"test-{name}", **{key: properties[key] for key in kept if key in properties})
        yield doors


@pytest.fixture
def aws_calls(aws: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the AWS operations called so far; clear it to begin anew. An SDK's own retry is not another call."""
    from botocore.client import BaseClient

    from chalicelib.accounts import allowed
    from chalicelib.core import clock

    # However slow the machine: what is known grows old between two requests only where a test lets a minute pass.
    monkeypatch.setattr(allowed._Known, "is_fresh", classmethod(lambda known: 0 <= clock.timestamp() - known.read_at < 60))
    calls: list[str] = []
    call = BaseClient._make_api_call

    def counted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append(operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return calls


@pytest.fixture(autouse=True)
def _no_real_aws() -> None:
    """A test that forgets its fixture must not reach a real account."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    os.environ.setdefault("AWS_DEFAULT_REGION", _REGION)
