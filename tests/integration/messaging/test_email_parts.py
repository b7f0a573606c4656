"""What an email is made of beside its request: uploaded attachments, a plugin's own templates; and what SES says to it."""

from __future__ import annotations

import io
import re
import zipfile
from email import message_from_string
from email.policy import default

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from chalicelib import accounts, plugins
from chalicelib.core import clock, uploads
from chalicelib.core.errors import ValidationError
from chalicelib.events import unit_of_work
from chalicelib.messaging import templates
from tests.integration.jobs.conftest import package

MAIL = {"to": "jane@example.com", "subject": "Report", "text": "Hi"}
SEVEN_MB = 7 * 1024 * 1024


@pytest.fixture
def put(aws, bucket):
    """Does with an upload's URL what S3 does, which moto cannot be asked to over HTTP."""

    def send(upload, content):
        key = re.search(r"(uploads/.*?)\?", upload["url"])[1]
        assert int(upload["headers"]["Content-Length"]) == len(content)
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=content)

    return send


@pytest.fixture
def own_templates(aws, bucket):
    """Installs the plugin ``report`` with these templates."""

    def install(**sources):
        manifest = plugins.read_package(package("report")).manifest
        with unit_of_work() as work:
            plugins.add(work, plugins.InstalledPlugin.fresh(manifest, "0" * 64, clock.now()))
        templates.keep("report", "1.0.0", sources)

    return install


def test_seven_megabytes_are_uploaded_first_and_arrive_byte_for_byte(messaging_api, plugin_token, outbox, put):
    content = bytes(range(256)) * (SEVEN_MB // 256)
    status, body = messaging_api("POST", "/uploads", {"size_bytes": SEVEN_MB}, token=plugin_token)
    assert (status, body["data"]["method"]) == (201, "PUT")
    put(body["data"], content)

    attachment = {"filename": "all.bin", "upload_id": body["data"]["upload_id"]}
    status, _ = messaging_api("POST", "/email", {**MAIL, "attachments": [attachment]}, token=plugin_token)

    assert status == 202
    message = message_from_string(outbox[0].raw_data, policy=default)
    assert next(message.iter_attachments()).get_payload(decode=True) == content


def test_the_url_of_an_upload_is_signed_for_its_size(aws, bucket):
    upload = uploads.begin("report", 12345)

    assert "X-Amz-SignedHeaders=content-length%3Bhost" in upload.url
    assert "X-Amz-Expires=600" in upload.url
    assert upload.headers == {"Content-Length": "12345"}


def test_an_upload_is_its_owners_alone(messaging_api, plugin_token, outbox, put):
    upload = messaging_api("POST", "/uploads", {"size_bytes": 3}, token=plugin_token)[1]["data"]
    put(upload, b"abc")
    stranger = accounts.issue_plugin_token("stranger", frozenset({"email"}))
    attachments = [{"filename": "a", "upload_id": upload["upload_id"]}]

    status, body = messaging_api("POST", "/email", {**MAIL, "attachments": attachments}, token=stranger)

    assert (status, list(body["error"]["details"]), outbox) == (422, ["attachments.0.upload_id"], [])


@pytest.mark.parametrize("upload_id", ["upload_00000000000000000000", "../stranger/upload_00000000000000000000", ""])
def test_an_upload_that_is_not_there_is_named(messaging_api, plugin_token, outbox, bucket, upload_id):
    mail = {**MAIL, "attachments": [{"filename": "a", "upload_id": upload_id}]}

    status, body = messaging_api("POST", "/email", mail, token=plugin_token)

    assert (status, list(body["error"]["details"])) == (422, ["attachments.0.upload_id"])


@pytest.mark.parametrize("attachment", [{"filename": "a"}, {"filename": "a", "content": "", "upload_id": "x"}])
def test_an_attachment_has_either_a_content_or_an_upload(messaging_api, plugin_token, outbox, attachment):
    status, body = messaging_api("POST", "/email", {**MAIL, "attachments": [attachment]}, token=plugin_token)

    assert status == 422
    assert body["error"]["details"] == {"attachments.0": ["Must have either content or upload_id"]}


@pytest.mark.parametrize("size", [0, uploads.LARGEST_BYTES + 1, "3", 1.5])
def test_an_upload_has_a_size_within_bounds(messaging_api, plugin_token, bucket, size):
    assert messaging_api("POST", "/uploads", {"size_bytes": size}, token=plugin_token)[0] == 422


def test_a_plugins_own_template_is_filled_and_goes_before_the_platforms(messaging_api, plugin_token, outbox, own_templates, aws_calls):
    layout = "<html>{% block body %}{% endblock %}</html>"
    own = "{% extends 'layout.html' %}{% block body %}<b>{{ name }}</b> has {{ data.count }}{{ missing.thing }}{% endblock %}"
    own_templates(**{"welcome.html": own, "layout.html": layout, "welcome.txt": "{{ name }} has {{ count }}"})
    aws_calls.clear()

    mail = {"to": "jane@example.com", "subject": "S", "template": "welcome", "data": {"name": "R&D", "count": 3}}
    status, _ = messaging_api("POST", "/email", mail, token=plugin_token)

    assert status == 202
    assert len(aws_calls) <= 5
    message = message_from_string(outbox[0].raw_data, policy=default)
    assert message.get_body(("html",)).get_content().strip() == "<html><b>R&amp;D</b> has 3</html>"
    assert message.get_body(("plain",)).get_content().strip() == "R&D has 3"


def test_a_plugin_without_a_template_of_that_name_is_told_of_its_own_and_the_platforms(messaging_api, plugin_token, outbox, own_templates):
    own_templates(**{"weekly.txt": "x"})

    status, body = messaging_api("POST", "/email", {"to": "a@example.com", "subject": "S", "template": "monthly"}, token=plugin_token)

    assert (status, body["error"]["code"]) == (404, "TEMPLATE_NOT_FOUND")
    assert body["error"]["details"]["existing"] == ["session-logs", "weekly", "welcome"]


def test_a_template_that_fails_says_where(messaging_api, plugin_token, outbox, own_templates):
    own_templates(**{"weekly.txt": "fine\n{{ 1 / zero }}"})
    mail = {"to": "a@example.com", "subject": "S", "template": "weekly", "data": {"zero": 0}}

    status, body = messaging_api("POST", "/email", mail, token=plugin_token)

    assert (status, body["error"]["code"], outbox) == (422, "VALIDATION_ERROR", [])
    assert body["error"]["details"] == {"emails/weekly.txt": ["Line 2: division by zero"]}


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 'a'|center(10**9) }}",
        "{{ '%01000000000d'|format(1) }}",
        "{{ 'a' * 3000000 }}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    ],
)
def test_what_a_template_asks_for_is_bounded(source):
    with pytest.raises(ValidationError) as refused:
        templates.rendered("big", {}, {"big.txt": source})

    assert "takes too much time or memory" in refused.value.details["template"][0]


def test_a_template_that_does_not_end_is_stopped():
    nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    with pytest.raises(ValidationError, match="invalid") as refused:
        templates.rendered("slow", {}, {"slow.txt": nested})

    assert "takes too much time" in refused.value.details["template"][0]


@pytest.mark.parametrize("source", ["{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__.os }}", "{{ lipsum.__globals__ }}"])
def test_a_template_does_not_reach_python(source):
    assert templates.rendered("sly", {}, {"sly.txt": source}) == ("", None)


def with_files(files):
    content = io.BytesIO(package("report"))
    with zipfile.ZipFile(content, "a") as archive:
        for path, source in files.items():
            archive.writestr(path, source)
    return content.getvalue()


def test_templates_are_found_in_a_package_and_faulty_ones_refuse_it():
    files = {"emails/weekly.html": b"<p>", "emails/logo.png": b"\x89", "emails/old/weekly.html": b"{%", "index.html": b"{%"}
    assert templates.sources_in(files) == {"weekly.html": "<p>"}

    faulty = {"emails/a.html": b"\xff", "emails/b.txt": b"{% for %}", "emails/c.txt": b"ok\n{{ x|nofilter }}"}
    with pytest.raises(plugins.PackageInvalid) as refused:
        plugins.read_package(with_files(faulty))
    assert list(refused.value.details) == ["emails/a.html"]

    del faulty["emails/a.html"]
    with pytest.raises(plugins.PackageInvalid) as refused:
        plugins.read_package(with_files(faulty))
    assert refused.value.details == {
        "emails/b.txt": ["Line 1: Expected an expression, got 'end of statement block'"],
        "emails/c.txt": ["Line 2: No filter named 'nofilter'."],
    }


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendRawEmail")


@pytest.mark.parametrize(
    ("thrown", "status", "code"),
    [
        (refusal("MessageRejected", "Email address is not verified. The following identities failed"), 503, "EMAIL_NOT_CONFIGURED"),
        (refusal("AccountSendingPausedException"), 503, "EMAIL_NOT_CONFIGURED"),
        (refusal("AccessDenied"), 503, "EMAIL_NOT_CONFIGURED"),
        (refusal("MessageRejected", "Message failed virus scan"), 422, "VALIDATION_ERROR"),
        (refusal("InvalidParameterValue", "Domain contains illegal character"), 422, "INVALID_EMAIL_ADDRESS"),
        (refusal("Throttling", "Maximum sending rate exceeded."), 503, "SERVICE_UNAVAILABLE"),
        (refusal("InternalFailure"), 503, "SERVICE_UNAVAILABLE"),
        (ConnectTimeoutError(endpoint_url="https://email"), 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_whatever_ses_says_the_caller_gets_one_of_our_codes(messaging_api, plugin_token, outbox, aws, thrown, status, code):
    ses = aws.client("ses")

    def refuse(**_):
        raise thrown

    ses.meta.events.register_first("before-send.ses.SendRawEmail", refuse)
    try:
        answered, body = messaging_api("POST", "/email", MAIL, token=plugin_token)
    finally:
        ses.meta.events.unregister("before-send.ses.SendRawEmail", refuse)

    assert (answered, body["error"]["code"]) == (status, code)


def test_who_sends_too_fast_is_told_when_to_come_back(messaging_api, plugin_token, outbox, aws):
    ses = aws.client("ses")

    def refuse(**_):
        raise refusal("Throttling", "Daily message quota exceeded.")

    ses.meta.events.register_first("before-send.ses.SendRawEmail", refuse)
    try:
        _, body = messaging_api("POST", "/email", MAIL, token=plugin_token)
    finally:
        ses.meta.events.unregister("before-send.ses.SendRawEmail", refuse)

    assert body["error"]["details"]["retry_after_s"] == 3600
