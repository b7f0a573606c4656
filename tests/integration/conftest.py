"""A whole platform in process: moto's AWS, the real state machines, our own handlers behind its Lambda functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from moto.awslambda_simple.models import LambdaSimpleBackend


class Functions:
    """What stands behind the Lambda functions of moto: a handler for each name's pattern."""

    def __init__(self) -> None:
        self._handlers: list[tuple[re.Pattern[str], Callable[[dict[str, Any]], Any]]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def answer(self, pattern: str, handler: Callable[[dict[str, Any]], Any]) -> None:
        """The newest handler whose pattern fits a function's whole name is called."""
        self._handlers.insert(0, (re.compile(pattern), handler))

    def invoke(self, name: str, payload: Any, response_headers: Any) -> bytes:
        name = name.rsplit(":", 1)[-1]
        event = json.loads(payload)
        self.calls.append((name, event))
        handler = next((handler for pattern, handler in self._handlers if pattern.fullmatch(name)), None)
        if handler is None:
            raise AssertionError(f"nothing answers for the function {name}")
        try:
            return json.dumps(handler(event)).encode()
        except Exception as error:  # noqa: BLE001 Lambda reports whatever a handler raises
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode()


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Moto's Lambda, whose functions are handlers of ours."""
    stand_in = Functions()

    def invoke(
        self: LambdaSimpleBackend, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        return stand_in.invoke(function_name, body, response_headers)

    monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
    return stand_in


@pytest.fixture(autouse=True)
def _answers_are_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test asks the API, the answer is held to ``openapi.json``."""
    from chalicelib.api.http import Api
    from tests import conforming

    call = Api.__call__

    def watched(self: Api, event: dict[str, Any], context: Any) -> dict[str, Any]:
        answer = call(self, event, context)
        faults = conforming.faults_of(self, event, answer)
        assert not faults, "\n".join(faults)
        return answer

    monkeypatch.setattr(Api, "__call__", watched)
