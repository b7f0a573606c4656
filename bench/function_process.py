"""Runs in a process of its own, as Lambda would run it: only the standard library and the unpacked package are on the path.

``python -I -S -B function_process.py PACKAGE first ours|bare`` serves one request, and prints what that took.
``python -I -S -B function_process.py PACKAGE warm ROUNDS`` serves many by turns, and prints what each took.
"""

import json
import os
import sys
import time

PATH = "/api/v1/platform"
KEY = {"pk": {"S": "TOKEN#1"}, "sk": {"S": "TOKEN"}}


def main() -> None:
    package, mode, argument = sys.argv[1:4]
    sys.path.insert(0, package)
    print(json.dumps(first(argument) if mode == "first" else warm(int(argument))))


def first(which: str) -> dict:
    began, began_cpu = time.perf_counter(), time.process_time()
    answer = {"ours": ours, "bare": bare}[which]()
    taken = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - began_cpu}
    must_be_well(answer)
    return {**taken, "peak_kib": peak_kib()}


def ours() -> dict:
    """The whole API: one request with a token, which is looked up."""
    import app

    return app.app(event(PATH, os.environ["BENCH_TOKEN"]), None)


def bare() -> dict:
    """As small as a handler that reads an item can be: no framework, no model, no authentication."""
    import boto3

    item = boto3.client("dynamodb").get_item(TableName="accounts", Key=KEY, ConsistentRead=True)["Item"]
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"owner": item["owner"]["S"]})}


def warm(rounds: int) -> dict:
    """Ours without and with a token; a Chalice route that answers the same text, without and with an item read by a boto3 client."""
    import boto3
    from chalice.app import Chalice, Response

    import app

    token = os.environ["BENCH_TOKEN"]
    bodies = {name: app.app(event(PATH, given), None)["body"] for name, given in (("open", None), ("token", token))}
    client = boto3.client("dynamodb")
    plain = Chalice(app_name="plain")

    @plain.route("/open")
    def open_route() -> Response:
        return Response(bodies["open"], headers={"Content-Type": "application/json"})

    @plain.route("/token")
    def token_route() -> Response:
        return Response(bodies["token"], headers={"Content-Type": "application/json"})

    @plain.route("/read")
    def reading_route() -> Response:
        client.get_item(TableName="accounts", Key=KEY, ConsistentRead=True)
        return Response(bodies["token"], headers={"Content-Type": "application/json"})

    sides = {
        "ours_open": (app.app, event(PATH)),
        "plain_open": (plain, event("/open")),
        "ours_token": (app.app, event(PATH, token)),
        "plain_token": (plain, event("/token", token)),
        "plain_read": (plain, event("/read", token)),
    }
    taken: dict = {name: [] for name in sides}
    for number in range(rounds + 20):
        for name, (handler, request) in sides.items():
            began = time.perf_counter()
            answer = handler(request, None)
            ended = time.perf_counter()
            must_be_well(answer)
            if number >= 20:
                taken[name].append(ended - began)
    return taken


def event(path: str, token: "str | None" = None) -> dict:
    """What API Gateway's proxy integration sends."""
    headers = {"accept": "application/json", "host": "localhost", "user-agent": "bench"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    context = {"resourcePath": path, "httpMethod": "GET", "requestId": "bench", "identity": {"sourceIp": "127.0.0.1"}}
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": None,
        "requestContext": context,
        "body": None,
        "isBase64Encoded": False,
    }


def must_be_well(answer: dict) -> None:
    if answer["statusCode"] != 200:
        raise SystemExit(f"not an answer to measure: {answer}")


def peak_kib() -> int:
    """The most memory that this process ever held. From VmHWM where there is one: ``ru_maxrss`` begins with what the parent held."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 pathlib is not free, and this process is measured
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


if __name__ == "__main__":
    main()
