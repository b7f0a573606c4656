"""What publishing needs from a package's manifest, read with suspicion: a package may come from anyone."""

import io
import json
import re
import zipfile
from typing import Any, NoReturn

from cli.errors import PackageInvalid
from cli.versions import is_version

_LARGEST_MANIFEST_BYTES = 1024 * 1024
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}")

Manifest = dict[str, Any]


def read_manifest(package: bytes) -> Manifest:
    """The manifest at the root of a package, with a name and a version that are safe in paths and URLs.

    The platform checks the whole manifest when it installs; here are checked the parts that the index repeats.

    Raises: PackageInvalid, saying which field and what is expected.
    """
    manifest = _parsed(_manifest_bytes(package))
    if not isinstance(manifest, dict):
        raise PackageInvalid("manifest.json must hold a JSON object")
    if not (isinstance(manifest.get("name"), str) and _SLUG.fullmatch(manifest["name"])):
        _refuse("name", f"must be a slug such as 'my-plugin' ({_SLUG.pattern})")
    if not is_version(manifest.get("version")):
        _refuse("version", "must be a SemVer version such as '1.0.0'")
    for field, kinds in _KINDS.items():
        if manifest.get(field) is not None and not isinstance(manifest[field], kinds):
            _refuse(field, f"must be {' or '.join(_NAMES_OF_KINDS[kind] for kind in kinds)}")
    return manifest


_KINDS: dict[str, tuple[type, ...]] = {
    "displayName": (str,),
    "description": (str,),
    "category": (str,),
    "homepage": (str,),
    "documentation": (str,),
    "icon": (str,),
    "author": (str, dict),
    "tags": (list,),
    "permissions": (list,),
    "requirements": (dict,),
    "dependencies": (list, dict),
    "changelog": (str, list),
}
_NAMES_OF_KINDS: dict[type, str] = {str: "text", dict: "an object", list: "a list"}


def _refuse(field: str, rule: str) -> NoReturn:
    raise PackageInvalid(f"manifest.json: {field} {rule}", {field: [rule]})


def _manifest_bytes(package: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == "manifest.json"]
            if len(entries) != 1:
                raise PackageInvalid(f"The package must have one manifest.json at its root, and has {len(entries)}")
            with archive.open(entries[0]) as stream:
                # What the entry says of its own size is not believed.
                content = stream.read(_LARGEST_MANIFEST_BYTES + 1)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise PackageInvalid(f"The package is not a readable zip: {error}") from error
    if len(content) > _LARGEST_MANIFEST_BYTES:
        raise PackageInvalid(f"manifest.json is larger than {_LARGEST_MANIFEST_BYTES} bytes")
    return content


def _parsed(content: bytes) -> Any:
    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        manifest = json.loads(content.decode("utf-8-sig"), parse_constant=refuse_constant)
        # A lone surrogate passes the parser, but no UTF-8 file can hold it.
        json.dumps(manifest, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise PackageInvalid(f"manifest.json is not valid JSON: {error}") from error
    return manifest
