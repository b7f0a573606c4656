"""Builds what is deployed: the functions' zip, the layers, and the template.

``python -m infra.build`` leaves ``.build/template.json`` and ``.build/artifacts/*.zip``, each artifact named by its content, so that
an unchanged one is neither built nor uploaded nor deployed again.

The template is Chalice's (functions and REST API from ``app.py``), with ``template.yaml`` merged over it, and with three things that
Chalice cannot say: one proxy resource instead of each path (``chalicelib/api/routing.py`` says why), the state machines' definitions
from the sagas, and the names of the artifacts.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from infra import sdk_bundle

ROOT = Path(__file__).parent.parent
BUILD = ROOT / ".build"
ARTIFACTS = BUILD / "artifacts"
TEMPLATE = BUILD / "template.json"

# Reproducible zips: the same content gives the same bytes, whenever and wherever it is built.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """One build at a time: another one of this checkout waits, and then finds everything made."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build()


def _build() -> None:
    started = time.monotonic()
    names = {
        "DeploymentKey": _built("deployment", _deployment_inputs(), lambda: _compiled(_deployment_files(), "/var/task")),
        "KubernetesKey": _built("kubernetes", [ROOT / "infra/layers/kubernetes.txt"], lambda: _compiled(_kubernetes_files(), "/opt")),
        "PythonSdkKey": _built("sdk-python", _sources(ROOT / "plugin_layers/python"), lambda: _compiled(_python_sdk_files(), "/opt")),
        "NodejsSdkKey": _built("sdk-nodejs", [*_sources(ROOT / "plugin_layers/nodejs"), ROOT / "infra/sdk_bundle.py"], _nodejs_sdk_files),
    }
    TEMPLATE.write_text(json.dumps(template(names, _chalice_template()), indent=1))
    for stale in ARTIFACTS.iterdir():
        if stale.suffix == ".zip" and stale.name not in names.values():
            stale.unlink()
    print(f"built in {time.monotonic() - started:.1f} s: {', '.join(sorted(names.values()))}")


# ── Artifacts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _built(name: str, inputs: Iterable[Path], files: Callable[[], Iterator[tuple[str, bytes]]]) -> str:
    """The name of the artifact's zip, made now unless its inputs are those of the last build."""
    fingerprint = _fingerprint(inputs)
    stamp = ARTIFACTS / f"{name}.inputs"
    if stamp.exists():
        last_fingerprint, _, last_name = stamp.read_text().partition(" ")
        if last_fingerprint == fingerprint and (ARTIFACTS / last_name).exists():
            return last_name
    print(f"building {name} …", flush=True)
    artifact = write_artifact(ARTIFACTS, name, files())
    stamp.write_text(f"{fingerprint} {artifact}")
    return artifact


def write_artifact(folder: Path, name: str, files: Iterable[tuple[str, bytes]]) -> str:
    """Zip ``files``; the zip's name, which says its content. The same files give the same bytes, in whatever order they come."""
    partial = folder / f"{name}.partial"
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files):
            entry = zipfile.ZipInfo(path, _ZIP_TIME)
            entry.create_system = 3  # Unix: the attributes below are its
            entry.external_attr = (0o755 if path.endswith(".so") else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    artifact = f"{name}-{hashlib.sha256(partial.read_bytes()).hexdigest()[:16]}.zip"
    partial.replace(folder / artifact)
    return artifact


def _fingerprint(inputs: Iterable[Path]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {Path(__file__).read_text()}".encode())
    for path in sorted(inputs):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"]


def _compiled(files: Iterable[tuple[str, bytes]], root: str) -> Iterator[tuple[str, bytes]]:
    """The files, with the compiled form of each module among them; ``root`` is where they will lie on Lambda.

    Lambda's file system is read-only, so a module that comes without is compiled anew at each cold start: three times the time until the
    first answer (``make bench`` shows it). "Unchecked", because nothing changes there and the zip has no true times. Python looks for them
    by its own version, so that another one finds none and compiles, as it would have. One process, one hash seed and one order: the same
    bytes each time. A source that this Python cannot compile (some packages carry templates) stays as it is.
    """
    with tempfile.TemporaryDirectory(prefix="streamspace-build-") as folder:
        base = Path(folder).resolve()
        for name, content in files:
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        command = [sys.executable, "-m", "compileall", "-q", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(base), "-p", root]
        subprocess.run([*command, str(base)], env={**os.environ, "PYTHONHASHSEED": "0"}, check=False)
        for path in base.rglob("*"):
            if path.is_file():
                yield path.relative_to(base).as_posix(), path.read_bytes()


def _deployment_inputs() -> list[Path]:
    return [ROOT / "app.py", ROOT / "requirements.txt", *_sources(ROOT / "chalicelib"), ROOT / ".chalice/config.json"]


def _chalice_package() -> Path:
    """Chalice's own package, without our resources: they change more often than code and requirements do."""
    out = BUILD / "chalice"
    shutil.rmtree(out, ignore_errors=True)
    environment = {**os.environ, "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1")}
    command = [
        sys.executable,
        "-c",
        "from chalice.cli import main; main()",
        "package",
        "--stage",
        "aws",
        "--template-format",
        "yaml",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"chalice package failed:\n{done.stdout}{done.stderr}")
    return out


def _deployment_files() -> Iterator[tuple[str, bytes]]:
    """Chalice's zip, less what no function needs: the models of AWS services that the platform never calls (four fifths of the size), and
    of the others what only people read (half of the time that a client takes to make)."""
    prefixes: set[str] = set()
    endpoints = b""
    with zipfile.ZipFile(_chalice_package() / "deployment.zip") as package:
        for name in package.namelist():
            if not is_deployed(name):
                continue
            if name == "botocore/data/endpoints.json":
                endpoints = package.read(name)
            elif name.startswith("botocore/data/") and name.endswith(".json.gz"):
                model = _without_documentation(json.loads(gzip.decompress(package.read(name))))
                prefixes.add(model.get("metadata", {}).get("endpointPrefix", ""))
                yield name.removesuffix(".gz"), _json(model)
            else:
                yield name, package.read(name)
    yield "botocore/data/endpoints.json", _json(_endpoints_of(json.loads(endpoints), prefixes))


def _without_documentation(model: Any) -> Any:
    """The texts emptied, not taken out: botocore reads some of them. A member that happens to be called so is a mapping, and kept."""
    if isinstance(model, list):
        return [_without_documentation(each) for each in model]
    if isinstance(model, dict):
        return {
            key: "" if key == "documentation" and isinstance(value, str) else _without_documentation(value) for key, value in model.items()
        }
    return model


def _endpoints_of(endpoints: dict[str, Any], prefixes: set[str]) -> dict[str, Any]:
    """The regions are all kept: botocore looks up there whether one exists."""
    partitions = [
        {**each, "services": {name: service for name, service in each["services"].items() if name in prefixes}}
        for each in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def is_deployed(path: str) -> bool:
    """Whether a function needs that file: not the models of AWS services that the platform never calls (four fifths of the size)."""
    from chalicelib.core.aws import SERVICES

    kept = {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"}
    parts = path.split("/")
    if path.endswith("/") or "__pycache__" in parts:
        return False
    if parts[:2] == ["botocore", "data"] and parts[2] not in kept and parts[2] not in SERVICES:
        return False
    # boto3's resource models: the platform uses clients only. Examples are documentation.
    return parts[:2] not in (["boto3", "data"], ["boto3", "examples"]) and not parts[-1].startswith("examples-1.")


def _kubernetes_files() -> Iterator[tuple[str, bytes]]:
    target = BUILD / "kubernetes"
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([*command, "-r", str(ROOT / "infra/layers/kubernetes.txt")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the Kubernetes layer could not be installed:\n{done.stderr}")
    for path in _sources(target):
        relative = path.relative_to(target)
        # Half of the client is a second one, for asyncio.
        if relative.parts[0] not in ("bin", "botocore", "boto3") and relative.parts[:2] != ("kubernetes", "aio"):
            yield f"python/{relative.as_posix()}", path.read_bytes()
    shutil.rmtree(target)


def _python_sdk_files() -> Iterator[tuple[str, bytes]]:
    """All but ``streamspace/testing``, which is for authors' machines."""
    base = ROOT / "plugin_layers"
    for path in _sources(base / "python"):
        name = path.relative_to(base).as_posix()
        if "/streamspace/testing/" not in name:
            yield name, path.read_bytes()


def _nodejs_sdk_files() -> Iterator[tuple[str, bytes]]:
    sdk = Path("nodejs/node_modules/streamspace")
    for name, text in sdk_bundle.bundled(ROOT / "plugin_layers" / sdk):
        yield (sdk / name).as_posix(), text.encode()


# ── Template ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def template(names: dict[str, str], chalice_template: dict[str, Any]) -> dict[str, Any]:
    """What CloudFormation gets. ``names``: parameter -> artifact; ``chalice_template``: what Chalice made of ``app.py``."""
    template = _merged(chalice_template, _our_template())
    resources = template["Resources"]
    _one_proxy_resource(resources["RestAPI"])
    for saga_name, definition in _state_machines().items():
        resources[f"{saga_name.title()}StateMachine"]["Properties"]["DefinitionString"] = json.dumps(definition)
    for parameter, artifact in names.items():
        template["Parameters"][parameter]["Default"] = artifact
    # Chalice's own outputs repeat ours, with the stage in the address.
    for output in ("APIHandlerArn", "APIHandlerName", "EndpointURL", "RestAPIId"):
        template["Outputs"].pop(output, None)
    return template


def _chalice_template() -> dict[str, Any]:
    """The template of Chalice's last packaging; made anew when the zip was taken from the last build but the template is gone."""
    path = BUILD / "chalice" / "sam.yaml"
    if not path.exists():
        _chalice_package()
    return yaml.safe_load(path.read_text())


def _state_machines() -> dict[str, Any]:
    from chalicelib.jobs import SAGAS

    return {name: saga.state_machine("${JobStepArn}") for name, saga in SAGAS.items()}


def _one_proxy_resource(rest_api: dict[str, Any]) -> None:
    """Each method by name: the any-method extension would do on AWS, but not everything that reads this template knows it."""
    paths = rest_api["Properties"]["DefinitionBody"]["paths"]
    chalice_method = next(iter(next(iter(paths.values())).values()))
    proxied = {**chalice_method, "parameters": [{"name": "proxy", "in": "path", "required": True, "type": "string"}]}
    # Every body as bytes: else API Gateway would guess from the Accept header whether a plugin's image goes out as such.
    rest_api["Properties"]["BinaryMediaTypes"] = ["*/*"]
    methods = ("get", "post", "put", "patch", "delete", "head", "options")
    rest_api["Properties"]["DefinitionBody"]["paths"] = {
        "/": dict.fromkeys(methods, chalice_method),
        "/{proxy+}": dict.fromkeys(methods, proxied),
    }


def _merged(base: Any, over: Any) -> Any:
    """``over`` wins, mapping by mapping; lists and texts are replaced whole. An intrinsic function is a value, never merged into."""
    if not (isinstance(base, dict) and isinstance(over, dict)) or _is_intrinsic(over) or _is_intrinsic(base):
        return over
    return {key: _merged(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key)) for key in {**base, **over}}


def _is_intrinsic(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Ref X`` as ``{"Ref": "X"}``, ``!GetAtt A.B`` as ``{"Fn::GetAtt": ["A", "B"]}``."""


def _intrinsic(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _intrinsic)


def _our_template() -> dict[str, Any]:
    return yaml.load((ROOT / "infra/template.yaml").read_text(), _TemplateLoader)  # noqa: S506


if __name__ == "__main__":
    main()
