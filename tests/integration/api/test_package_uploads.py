"""Packages that are too large for a request are uploaded first, each for its uploader, once; and hostile ones are refused either way."""

import base64
import io
import json
import re
import stat
import tarfile
import zipfile
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import accounts, jobs, plugins
from chalicelib.accounts import Caller
from chalicelib.core import uploads
from tests.integration.jobs.conftest import package

_UPLOADS = "/admin/plugins/install/uploads"


@pytest.fixture
def upload(platform, call):
    """Does with an upload's address what S3 does, which moto cannot be asked to over HTTP; its id."""

    def send(content, **request):
        place = call("POST", _UPLOADS, {"size_bytes": len(content)}, **request).body["data"]
        assert (place["method"], place["headers"]) == ("PUT", {"Content-Length": str(len(content))})
        platform.aws.client("s3").put_object(Bucket=platform.bucket, Key=re.search(r"(uploads/.*?)\?", place["url"])[1], Body=content)
        return place["upload_id"]

    return send


@pytest.fixture
def others_token(token):
    accounts.create_user(username="bob", full_name="Bob", email="bob@example.com", role="admin", by=None)
    return accounts.create_token(Caller("user", "bob", "Bob", "admin", None), "test", None).text


def install(call, **request):
    return call("POST", "/admin/plugins/install", {"source": "upload", **request})


def padded(slug, version="1.0.0", **more):
    """A package whose size does not shrink."""
    return package(slug, version, files={"assets/noise.bin": base64.b64encode(bytes(range(256)) * 40).decode()}, **more)


def test_an_uploaded_package_is_installed_and_nothing_of_the_upload_is_left(platform, call, upload):
    answer = install(call, upload_id=upload(padded("mailer")), activate=True)

    assert (answer.status, answer.body["data"]["plugin"]["status"]) == (200, "active")
    assert [key for key in platform.left_over()["objects"] if key.startswith("uploads/")] == []


def test_an_installed_plugin_is_updated_from_an_upload(platform, call, upload):
    install(call, package=base64.b64encode(package("mailer")).decode())

    answer = call("POST", "/admin/plugins/mailer/update", {"upload_id": upload(padded("mailer", "1.1.0"))})

    assert (answer.status, answer.body["data"]["current_version"]) == (200, "1.1.0")
    assert [key for key in platform.left_over()["objects"] if key.startswith("uploads/")] == []


def test_a_request_that_is_too_large_says_how_to_upload_first_and_that_works(platform, call, upload):
    answer = install(call, package="A" * 5_000_000)

    assert (answer.status, answer.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert _UPLOADS in answer.error["message"]
    described = answer.error["details"]["upload"]
    place = call(described["method"], described["href"].removeprefix("/api/v1"), dict.fromkeys(described["body"], 1000))
    assert (place.status, sorted(place.body["data"])) == (201, ["expires_at", "headers", "method", "upload_id", "url"])
    assert list(described["then"]) == ["upload_id"]


def test_the_address_is_signed_for_that_size_and_for_minutes(call, platform):
    url = call("POST", _UPLOADS, {"size_bytes": 40_000_000}).body["data"]["url"]

    signed = parse_qs(urlsplit(url).query)
    assert (signed["X-Amz-SignedHeaders"], signed["X-Amz-Expires"]) == (["content-length;host"], ["600"])


@pytest.mark.parametrize("size", [0, -1, plugins.LARGEST_PACKAGE_BYTES + 1, "5", None])
def test_a_size_out_of_bounds_is_refused_by_name(call, size):
    answer = call("POST", _UPLOADS, {"size_bytes": size})

    assert (answer.status, list(answer.error["details"])) == (422, ["size_bytes"])


def test_an_upload_that_is_not_finished_used_strange_or_anothers_is_refused_alike(platform, call, upload, others_token):
    begun = call("POST", _UPLOADS, {"size_bytes": 10}).body["data"]["upload_id"]
    used = upload(padded("mailer"))
    assert install(call, upload_id=used).status == 200
    anothers = upload(padded("ledger"), token=others_token)
    before = platform.left_over()

    answers = [install(call, upload_id=each) for each in (begun, used, anothers, "upload_00000000000000000000", "../uploads/x", "é")]

    assert {(one.status, json.dumps(one.error["details"])) for one in answers} == {(422, json.dumps(answers[0].error["details"]))}
    assert list(answers[0].error["details"]) == ["upload_id"]
    assert platform.left_over() == before


def test_a_plugin_of_the_same_name_as_a_person_has_not_their_uploads(platform, call, upload):
    upload_id = upload(padded("mailer"))

    assert uploads.read("ann", upload_id) is None
    assert uploads.read("plugin.ann", upload_id) is None


def test_an_upload_that_is_no_package_is_refused_and_gone(platform, call, upload):
    answer = install(call, upload_id=upload(b"PK not a zip"))

    assert (answer.status, answer.error["code"]) == (422, "PACKAGE_INVALID")
    assert platform.left_over().get("objects", []) == []


def test_an_upload_whose_job_could_not_begin_can_be_used_again(platform, call, upload):
    upload_id = upload(padded("mailer"))
    with plugins.locks.held("mailer", "activate"):
        assert install(call, upload_id=upload_id).error["code"] == "OPERATION_IN_PROGRESS"

    assert install(call, upload_id=upload_id).status == 200


def test_what_is_uploaded_after_the_job_began_changes_nothing(platform, call, upload):
    upload_id = upload(package("mailer", description="First"))
    key = f"uploads/user.ann/{upload_id}"

    def overwritten(event):
        platform.aws.client("s3").put_object(Bucket=platform.bucket, Key=key, Body=package("mailer", description="Second"))
        return jobs.run_step(event) or {}

    platform.functions.answer("test-job-step", overwritten)

    assert install(call, upload_id=upload_id).status == 200

    assert plugins.get("mailer").manifest.description == "First"


@pytest.mark.parametrize(
    "request_",
    [{}, {"package": "UEs=", "upload_id": "x"}, {"upload_id": ""}, {"upload_id": 5}, {"upload_id": "x" * 101}, {"package": "not base64!"}],
)
def test_a_request_names_one_package_rightly(call, platform, request_):
    assert install(call, **request_).status == 422


# ── Hostile packages, over the route ─────────────────────────────────────────────────────────────────────────────────────────────


def zip_with(*entries, manifest=None):
    document = {"name": "hostile", "version": "1.0.0", "displayName": "H", "description": "H", "author": "A", "type": "extension"}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps({**document, **(manifest or {})}))
        archive.writestr("index.js", "module.exports = {};")
        for name, text in entries:
            archive.writestr(name, text)
    return content.getvalue()


def a_link():
    entry = zipfile.ZipInfo("secrets")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def a_tar(**entry):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo(entry.get("name", "link"))
        info.type, info.linkname = entry.get("type", tarfile.REGTYPE), entry.get("linkname", "")
        archive.addfile(info)
    return content.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(zip_with(("../../etc/cron.d/x", "x")), id="traversal"),
        pytest.param(zip_with(("/etc/passwd", "x")), id="absolute"),
        pytest.param(zip_with(("a\\..\\b", "x")), id="backslash"),
        pytest.param(zip_with((a_link(), "/etc/passwd")), id="link"),
        pytest.param(a_tar(type=tarfile.SYMTYPE, linkname="/etc/passwd"), id="tar link"),
        pytest.param(a_tar(type=tarfile.LNKTYPE, linkname="manifest.json"), id="tar hard link"),
        pytest.param(a_tar(type=tarfile.CHRTYPE), id="tar device"),
        pytest.param(a_tar(name="../x"), id="tar traversal"),
        pytest.param(zip_with(("bomb", b"0" * 3_000_000)), id="bomb"),
        pytest.param(zip_with(*((f"f{number}", "") for number in range(5_001))), id="too many files"),
        pytest.param(zip_with(("index.js", "other")), id="twice"),
        pytest.param(zip_with(("INDEX.js", "other")), id="case clash"),
        pytest.param(zip_with(("index.js/inner", "other")), id="file and folder"),
        pytest.param(zip_with(("streamspace_shim.js", "x")), id="the platform's own file"),
        *(
            pytest.param(zip_with(manifest={"name": slug}), id=f"named {slug}")
            for slug in ("install", "marketplace", "bulk", "check-updates", "UPPER", "a/b", "..")
        ),
    ],
)
@pytest.mark.parametrize("way", ["package", "upload_id"])
def test_a_hostile_package_is_refused_before_anything_is_made(platform, call, upload, archive, way):
    given = base64.b64encode(archive).decode() if way == "package" else upload(archive)

    answer = install(call, **{way: given})

    assert (answer.status, answer.error["code"]) == (422, "PACKAGE_INVALID"), answer.body
    assert answer.error["details"]
    assert platform.left_over() == {"tokens": platform.left_over()["tokens"]}
