"""What moto needs to stand in for AWS in thousands of tests: isolated transactions, and no work that is the same each time."""

from __future__ import annotations

import itertools
import threading
import time
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest


def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB's transactions are isolated; moto's, which copies whole tables and puts them back, only while nobody else calls it."""
    from botocore.client import BaseClient

    lock = threading.RLock()
    call = BaseClient._make_api_call

    def alone(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "Invoke":
            # A function of ours runs in there, makes its own calls, and may wait for another one.
            return call(client, operation, parameters)
        with lock:
            return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", alone)


def state_machines_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing our four definitions takes moto longer than anything else that a test does. The tree is kept; what runs is made anew."""
    from antlr4 import CommonTokenStream, InputStream
    from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
    from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
    from moto.stepfunctions.parser.asl.parse import asl_parser
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

    @cache
    def tree_of(definition: str) -> Any:
        listener = asl_parser.SyntaxErrorListener()
        parser = ASLParser(CommonTokenStream(ASLLexer(InputStream(definition))))
        parser.removeErrorListeners()
        parser.addErrorListener(listener)
        tree = parser.state_machine()
        if listener.errors:
            raise asl_parser.ASLParserException(errors=listener.errors)
        return tree

    def parse(definition: str) -> tuple[Any, Any]:
        tree = tree_of(definition)
        return Preprocessor().visit(tree), tree

    monkeypatch.setattr(asl_parser.AmazonStateLanguageParser, "parse", staticmethod(parse))


def state_machines_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test creates the same ones."""
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    monkeypatch.setattr(
        StepFunctionsParserBackend, "_validate_definition", staticmethod(cache(StepFunctionsParserBackend._validate_definition))
    )


def calls_that_carry_only_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test makes hundreds of calls. A third of each went into signatures and user agents, which moto does not check, its own 52 random
    letters, and looking for the same names in the same classes.
    """
    from botocore.auth import SigV4Auth
    from botocore.useragent import UserAgentString
    from moto.core import responses, serialize, utils
    from moto.utilities import aws_headers

    sign, numbers = SigV4Auth.add_auth, itertools.count()

    def signed(self: Any, request: Any) -> None:
        if type(self) is not SigV4Auth:  # what S3 signs, and links with a signature in them
            return sign(self, request)
        scope = f"{self.credentials.access_key}/20260101/{self._region_name}/{self._service_name}/aws4_request"
        request.headers["X-Amz-Date"] = "20260101T000000Z"
        request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        return None

    def numbered(headers: dict[str, Any] | None = None) -> str:
        request_id = f"{next(numbers):052}"
        if headers is not None:
            headers["x-amzn-requestid"] = request_id
        return request_id

    monkeypatch.setattr(SigV4Auth, "add_auth", signed)
    monkeypatch.setattr(UserAgentString, "to_string", lambda _: "tests")
    monkeypatch.setattr(aws_headers, "gen_amzn_requestid_long", numbered)
    monkeypatch.setattr(responses, "method_names_from_class", cache(utils.method_names_from_class))
    for picker in (serialize.AttributePicker, serialize.XFormedAttributePicker):
        monkeypatch.setattr(picker, "get_possible_keys", _remembered(picker.get_possible_keys))


def _remembered(possible_keys: Any) -> Any:
    """Names under which an attribute may be found: they follow from the classes, unless the object itself gives some (``Meta``)."""
    known: dict[Any, tuple[str, ...]] = {}

    def look(self: Any, context: Any) -> Any:
        if hasattr(context.obj, "Meta"):
            return possible_keys(self, context)
        about = (tuple(self.alias_providers), type(context.obj), context.key, context.shape)
        found = known.get(about)
        if found is None:
            found = known[about] = tuple(possible_keys(self, context))
        return found

    return look


def let_state_machines_end() -> None:
    """What still runs when its test is over would write into the tables of the next one."""
    from moto.stepfunctions.parser.utils import TMP_THREADS

    deadline = time.monotonic() + 60
    while TMP_THREADS:
        thread = TMP_THREADS.pop()
        while thread.ident is None and time.monotonic() < deadline:  # it is listed before it is started
            time.sleep(0.01)
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), "a state machine does not come to its end"


def one_client_for_state_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto makes a client for each step that a state machine runs, of the same credentials each time."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

    def kept(*, region: str, service: str, **_: Any) -> Any:
        return _client(region, service)

    monkeypatch.setattr(lambda_eval_utils, "boto_client_for", kept)


@cache
def _client(region: str, service: str) -> Any:
    from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

    return boto_client_for(region=region, service=service)


def one_rsa_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto makes an RSA key for each KMS key, also for symmetric ones, which never use it."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from moto.kms import utils

    monkeypatch.setattr(utils, "rsa", SimpleNamespace(generate_private_key=cache(rsa.generate_private_key)))
