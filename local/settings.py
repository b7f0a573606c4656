"""Where the local stack keeps things and whom its tools act as: one place, no AWS, no third-party import."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

HOST = "127.0.0.1"
"""The only address that anything here listens on."""

STACK_NAME = "streamspace"
REGION = "us-east-1"
ACCOUNT = "000000000000"

ROOT_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
"""What our own tools (deploy, bootstrap, tests) sign with.

The emulator takes the key ``test`` (or a twelve-digit account number) for the root of an account, which may do
everything, as a deployer may. Every other key has to exist, its signature is checked, and it may do just what its
policies allow: the functions run with their roles' sessions and never see these credentials.
"""

OWNER_VARIABLE = "STREAMSPACE_LOCAL_STACK"
"""Set in the environment of every process that a local stack starts, to the state folder that it belongs to. By this a
later start knows the leftovers of a killed one, and touches no other process."""


@dataclass(frozen=True)
class Layout:
    """The files of one local stack, all under its state folder (``.local`` in the checkout)."""

    root: Path

    @property
    def emulator(self) -> Path:
        return self.root / "emulator"

    @property
    def emulator_venv(self) -> Path:
        return self.root / "emulator-venv"

    @property
    def lambda_venv(self) -> Path:
        return self.root / "lambda-venv"

    @property
    def cluster_state(self) -> Path:
        return self.root / "cluster.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def marketplace(self) -> Path:
        return self.root / "marketplace"

    @property
    def licenses(self) -> Path:
        """The licence service's book. Beside it, under ``keys``, is what it signs with."""
        return self.root / "licenses.sqlite"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def routes(self) -> Path:
        return self.root / "routes.json"

    @property
    def lock(self) -> Path:
        return self.root / "stack.lock"

    @property
    def description(self) -> Path:
        """Says where everything is, with the administrator's login; there only while the stack is ready."""
        return self.root / "stack.json"


def layout() -> Layout:
    """The checkout's own local stack, or the one that ``STREAMSPACE_LOCAL`` names (a folder)."""
    return Layout(Path(os.environ.get("STREAMSPACE_LOCAL") or CHECKOUT / ".local").resolve())
