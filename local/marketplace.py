"""The demo marketplace: a repository in a folder, made of ``examples/plugins``, signed with this machine's own keys.

``python -m local.marketplace EXAMPLES REPOSITORY KEY PUBLISHER_KEY`` publishes what is not published yet. It needs the command
line's modules, and nothing here but this file knows of them.
"""

import importlib
import sys
from pathlib import Path


def new_key() -> bytes:
    """A private Ed25519 key as 32 raw bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private_key: bytes) -> str:
    """What the platform pins as ``MarketplacePublicKey``: base64 of 32 raw bytes."""
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()).decode()


def publish_all(examples: Path, repository: Path, private_key: bytes, publisher_key: bytes) -> list[str]:
    """Publish each plugin's folder under ``examples``; one line for each that is new or could not be published.

    An example that was edited without a new version keeps its published release, and a line says so.
    """
    repository.mkdir(parents=True, exist_ok=True)
    folders = sorted(manifest.parent for manifest in examples.glob("*/manifest.json"))
    if not folders:
        return []
    pack = importlib.import_module("cli.packing").pack
    publish = importlib.import_module("cli.publishing").publish
    refusals: tuple[type[Exception], ...] = (
        importlib.import_module("cli.errors").PackageInvalid,
        importlib.import_module("cli.errors").VersionExists,
    )
    said = []
    for folder in folders:
        try:
            release = publish(pack(folder), repository, private_key, publisher_key=publisher_key)
        except refusals as problem:
            said.append(f"{folder.name} was not published: {problem}")
        else:
            if release.is_new:
                said.append(f"published {release.slug} {release.version}")
    return said


if __name__ == "__main__":
    for line in publish_all(Path(sys.argv[1]), Path(sys.argv[2]), *(Path(key).read_bytes() for key in sys.argv[3:5])):
        print(line)
