"""``python sdk_process.py FOLDER first|warm ROUNDS URL``: answers a call from the plugin, or the bare handler, in the folder."""

import json
import os
import sys
import time

folder, mode, rounds, url = sys.argv[1:5]
sys.path[0] = folder
if os.environ.get("BENCH_LAYER"):
    sys.path.insert(1, os.environ["BENCH_LAYER"])
from streamspace_shim import handler  # type: ignore[import-not-found]  # noqa: E402


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


handler({"kind": "load", "settings": {}, "settings_version": 1}, Context())
found: dict[str, list[float]] = {"hook": [], "bare": []}
if mode == "warm":
    from http.client import HTTPConnection

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
