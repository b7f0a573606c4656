"""``python -m local.cluster --port 6443 --state .local/cluster.json [--nodes 2 --cpu 8 --memory 32Gi --start-delay
0.5]``."""

import argparse
import json
import logging
import signal
import threading
import time
from pathlib import Path

from local import lifeline
from local.cluster.kubelet import Capacity
from local.cluster.server import Cluster

SAVED_EVERY_S = 2.0
SAVING_SHARE = 50
"""Of the time, one part in so many goes into saving."""

logger = logging.getLogger("streamspace.cluster")


def main() -> None:
    parser = argparse.ArgumentParser(description="The simulated Kubernetes cluster.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--nodes", type=int, default=Capacity.nodes)
    parser.add_argument("--cpu", default=Capacity.cpu)
    parser.add_argument("--memory", default=Capacity.memory)
    parser.add_argument("--start-delay", type=float, default=0.5)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(name)s] %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    lifeline.stop_with_supervisor()

    cluster = Cluster(Capacity(chosen.nodes, chosen.cpu, chosen.memory))
    cluster.kubelet.start_delay_s = chosen.start_delay
    if chosen.state.exists():
        cluster.load(json.loads(chosen.state.read_text()))
    logger.info("serving on %s", cluster.start(chosen.port))
    saved_version, took_s = -1, 0.0
    while True:
        # A large cluster takes seconds to write down: it is done less often, so that there is time for anything else.
        ending = stopped.wait(max(SAVED_EVERY_S, SAVING_SHARE * took_s))
        if cluster.store.version != saved_version or ending:
            saved_version, began = cluster.store.version, time.monotonic()
            save(cluster, chosen.state)
            took_s = time.monotonic() - began
        if ending:
            cluster.stop()
            return


def save(cluster: Cluster, file: Path) -> None:
    """Write the whole state, or leave the file as it was."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(cluster.dump()))
    new.replace(file)


if __name__ == "__main__":
    main()
