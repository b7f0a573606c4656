"""A job as a list of steps, each with its way back: the single source of the state machine, of the progress events and of the fault test.

Promises
    A step is journalled before it acts, so whatever it made can be found again. It may run twice.
    When a step fails, or its worker dies, the steps that began are undone in reverse. "Already gone" is success there.
    So a job ends ``succeeded``, or ``failed`` with nothing left over; or ``stuck``, when a way back failed too, and then it says
    what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.jobs.records import Job

Act = Callable[["Job"], dict[str, Any] | None]
Undo = Callable[["Job"], None]

# What AWS may answer for a moment, and what it calls a worker that died: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_RETRIED = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
)
_STEP_TIMEOUT_S = 130  # a little more than the worker's own, which says more when it ends
_JOB_TIMEOUT_S = 900


@dataclass(frozen=True)
class Step:
    """``act`` returns what it made, for the job's result. ``undo`` None: there is nothing to take back, or no way back."""

    name: str
    act: Act
    undo: Undo | None = None
    progress: int = 0
    message: str = ""


class Saga:
    """The steps of one kind of job, in order."""

    def __init__(self, name: str, *steps: Step, tidy: Undo | None = None) -> None:
        """``tidy`` removes what only the way back needed; it is called when the job has ended with nothing left over."""
        self.name = name
        self.tidy = tidy
        self.steps = {step.name: step for step in steps}

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def state_machine(self, worker_arn: str) -> dict[str, Any]:
        """The saga in the Amazon States Language. The execution's input is ``{"job_id", "is_recovery"}``.

        Source: https://states-language.net/spec.html
        """
        names = list(self.steps)
        states: dict[str, Any] = {}
        way_back = [name for name in names if self.steps[name].undo is not None]
        for position, name in enumerate(names):
            undone_first = next((back for back in reversed(way_back) if names.index(back) <= position), None)
            states[name] = self._task(worker_arn, "act", name) | {
                "Catch": [
                    {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": f"undo-{undone_first}" if undone_first else "fail"}
                ],
                "Next": names[position + 1] if position + 1 < len(names) else "succeed",
            }
        states["succeed"] = self._task(worker_arn, "succeed") | {"End": True}
        for position, name in enumerate(way_back):
            following = f"undo-{way_back[position - 1]}" if position else "fail"
            states[f"undo-{name}"] = self._task(worker_arn, "undo", name) | {
                # A way back that fails is written on the job by its worker, or here; the others are still gone.
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": f"$.left.{name}", "Next": following}],
                "Next": following,
            }
        states["fail"] = self._task(worker_arn, "fail") | {"Next": "failed"}
        states["failed"] = {"Type": "Fail", "Error": "JobFailed", "Cause": "The job's record says why"}
        return {
            "Comment": f"{self.name}: made from chalicelib/jobs",
            "StartAt": "begin",
            "TimeoutSeconds": _JOB_TIMEOUT_S,
            "States": {
                "begin": {"Type": "Pass", "Result": {}, "ResultPath": "$.left", "Next": "abandoned?"},
                # A job whose state machine was stopped from outside goes back; where there is no way back, it goes on from the start.
                "abandoned?": {
                    "Type": "Choice",
                    "Choices": [
                        {
                            "Variable": "$.is_recovery",
                            "BooleanEquals": True,
                            "Next": f"undo-{way_back[-1]}" if way_back else names[0],
                        }
                    ],
                    "Default": names[0],
                },
                **states,
            },
        }

    def _task(self, worker_arn: str, action: str, step: str | None = None) -> dict[str, Any]:
        payload: dict[str, Any] = {"job_id.$": "$.job_id", "action": action}
        if step is not None:
            payload["step"] = step
        if action in ("undo", "fail"):
            payload["execution.$"] = "$"
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": worker_arn, "Payload": payload},
            "ResultPath": None,
            "TimeoutSeconds": _STEP_TIMEOUT_S,
            "Retry": [{"ErrorEquals": list(_RETRIED), "IntervalSeconds": 1, "MaxAttempts": 4, "BackoffRate": 2, "JitterStrategy": "FULL"}],
        }
