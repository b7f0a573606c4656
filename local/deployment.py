"""The platform on the emulator: built, deployed and given its administrator, each only when needed.

What was deployed is noted in the emulator itself, as a parameter: the note and the stack that it describes are saved in
the same snapshot, so after a crash they agree.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import settings
from local.processes import Processes

NOTE = "/local-stack/provisioned"
BUILT = settings.CHECKOUT / ".build"
_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}


@dataclass(frozen=True)
class Deployment:
    """One stack on one emulator."""

    processes: Processes
    endpoint_url: str
    parameters: dict[str, str]

    def build(self) -> None:
        """Raises: StackFailed with what the build said."""
        self._run("build", "infra.build")

    def is_current(self) -> bool:
        """Whether the stack was deployed from just this build with just these parameters, completely."""
        ssm, cloudformation = self._client("ssm"), self._client("cloudformation")
        try:
            note = ssm.get_parameter(Name=NOTE)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return False
        if note != self._fingerprint():
            return False
        try:
            (stack,) = cloudformation.describe_stacks(StackName=settings.STACK_NAME)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return False
        return stack["StackStatus"] in _COMPLETE

    def deploy(self) -> dict[str, str]:
        """Create or update the stack; its outputs. Raises: StackFailed."""
        ssm = self._client("ssm")
        with suppress(ssm.exceptions.ParameterNotFound):
            ssm.delete_parameter(Name=NOTE)
        wanted = [f"--parameter={name}={value}" for name, value in self.parameters.items()]
        printed = self._run("deploy", "infra.deploy", "--stack", settings.STACK_NAME, *self._at_emulator(), *wanted)
        outputs: dict[str, str] = json.loads(printed)
        return outputs

    def outputs(self) -> dict[str, str]:
        """Those of the stack as it stands."""
        (stack,) = self._client("cloudformation").describe_stacks(StackName=settings.STACK_NAME)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def create_administrator(self, username: str, password: str) -> None:
        """Where there is none. Raises: StackFailed."""
        who = ("--username", username, "--password", password)
        self._run("bootstrap", "infra.bootstrap", "--stack", settings.STACK_NAME, *self._at_emulator(), *who)

    def import_templates(self, folder: Path, api_url: str, token: str) -> None:
        """As an administrator would; templates that exist stay as they are. Raises: StackFailed."""
        who = {"STREAMSPACE_API_URL": api_url, "STREAMSPACE_TOKEN": token}
        command = [sys.executable, "-m", "cli.main", "templates", "import", str(folder)]
        self.processes.run("templates", command, {**tool_environment(), **who})

    def note_as_complete(self) -> None:
        """From here on this build needs no deployment. Call it last."""
        self._client("ssm").put_parameter(Name=NOTE, Value=self._fingerprint(), Type="String", Overwrite=True)

    def _at_emulator(self) -> tuple[str, str]:
        return ("--endpoint-url", self.endpoint_url)

    def _run(self, name: str, module: str, *arguments: str) -> str:
        return self.processes.run(name, [sys.executable, "-m", module, *arguments], tool_environment())

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps([self.parameters, self.endpoint_url], sort_keys=True).encode())
        for file in sorted(path for path in BUILT.rglob("*") if path.name == "template.json" or path.suffix == ".zip"):
            digest.update(file.relative_to(BUILT).as_posix().encode())
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=settings.REGION,
            aws_access_key_id=settings.ROOT_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings.ROOT_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


def tool_environment(caller: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The caller's environment with the emulator's credentials instead of any of AWS's that are set in it.

    Whatever account the person is logged in to must not be touched by a local stack.
    """
    kept = {name: value for name, value in caller.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | settings.ROOT_CREDENTIALS | {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1"}


def write_routes(file: Path, outputs: dict[str, str]) -> None:
    """Tell the gateway which API it stands before."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"rest_api_id": outputs["RestApiId"], "stage": outputs["StageName"]}))
    new.replace(file)
