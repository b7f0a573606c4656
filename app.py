"""The Chalice app: the REST API and the Lambda functions around it. No logic: each function calls its worker, imported on first use,
so that the API's cold start pays for none of them."""

import gc
from typing import Any


def _built() -> Any:
    """What is made here stays as long as the process: the collector need not look at it, neither now nor later."""
    gc.disable()
    from chalicelib.api.application import build

    built = build()
    gc.freeze()
    gc.enable()
    return built


app = _built()


@app.lambda_function(name="dispatcher")
def dispatcher(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import dispatch

    return dispatch.handle(event)


@app.lambda_function(name="session-worker")
def session_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import sessions

    return sessions.handle(event)


@app.lambda_function(name="job-step")
def job_step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import jobs

    return jobs.handle(event)


@app.lambda_function(name="dead-letters")
def record_dead_letters(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import dead_letters

    return dead_letters.handle(event)


@app.lambda_function(name="email-feedback")
def record_email_feedback(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import email_feedback

    return email_feedback.handle(event)


@app.lambda_function(name="webhook-fanout")
def webhook_fanout(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import webhooks

    return webhooks.handle_events(event)


@app.lambda_function(name="webhook-sender")
def webhook_sender(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import webhooks

    return webhooks.handle_deliveries(event)


@app.lambda_function(name="update-check")
def update_check(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import updates

    return updates.handle(event)


@app.lambda_function(name="license-check")
def license_check(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import licenses

    return licenses.handle(event)


@app.lambda_function(name="sweeper")
def sweeper(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import sweeps

    return sweeps.handle(event)


@app.lambda_function(name="session-sweeper")
def session_sweeper(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.workers import session_sweeps

    return session_sweeps.handle(event)
