"""``python sdk_process.py FOLDER ROUNDS URL``: a command of the plugin in the folder, by turns with the bare request that it makes."""

import json
import os
import sys
import time
from http.client import HTTPConnection

folder, rounds, url = sys.argv[1:4]
sys.path[0] = folder
if os.environ.get("BENCH_LAYER"):
    sys.path.insert(1, os.environ["BENCH_LAYER"])
from streamspace_shim import handler  # type: ignore[import-not-found]  # noqa: E402


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


handler({"kind": "load", "settings": {}, "settings_version": 1}, Context())
found: dict[str, list[float]] = {"hook": [], "bare": []}
connection = HTTPConnection(url.removeprefix("http://"))


def bare() -> None:
    connection.request("GET", "/api/v1/storage/k")
    json.loads(connection.getresponse().read())


def hook() -> None:
    handler({"kind": "command", "name": "one", "args": {}, "settings_version": 1}, Context())


for number in range(int(rounds) + 20):
    for side, work in (("hook", hook), ("bare", bare)):
        began = time.perf_counter()
        work()
        if number >= 20:
            found[side].append(time.perf_counter() - began)
sys.stdout.write(json.dumps({"found": found}) + "\n")
sys.stdout.flush()
os._exit(0)
