"""An email as MIME: what arrives, and what cannot be smuggled in."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import ValidationError
from chalicelib.messaging import Attachment, Email, EmailTemplateNotFound, InvalidEmailAddress
from chalicelib.messaging.mail import MOST_ATTACHED_BYTES, composed

SENDER = "StreamSpace <no-reply@streamspace.example>"


def arrived(**more):
    """The email as its recipient's program reads it."""
    message = composed(Email(**{"to": ["jane@example.com"], "subject": "Hello", "text": "Hi", **more}), SENDER)
    return message_from_bytes(message.as_bytes(), policy=default)


def refused(**more) -> dict:
    with pytest.raises(ValidationError) as error:
        arrived(**more)
    return error.value.details


def test_a_text_arrives_as_it_was_written():
    message = arrived(text="Grüße,\nJane\n", subject="Ωmega")

    assert message["From"] == SENDER
    assert (message["To"], message["Subject"]) == ("jane@example.com", "Ωmega")
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines() == ["Grüße,", "Jane"]


def test_html_is_an_alternative_to_the_text():
    message = arrived(html="<h1>Report</h1>", text="Report")

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("html",)).get_content().strip() == "<h1>Report</h1>"


def test_html_may_be_all():
    assert arrived(html="<h1>Report</h1>", text=None).get_content_type() == "text/html"


def test_attachments_arrive_byte_for_byte():
    files = [Attachment("session.log", b"line\r\n\x00\xff", "text/plain; charset=utf-8"), Attachment("ü.bin", bytes(range(256)))]

    message = arrived(html="<p>See</p>", attachments=files)

    found = list(message.iter_attachments())
    assert [part.get_filename() for part in found] == ["session.log", "ü.bin"]
    assert [part.get_payload(decode=True) for part in found] == [one.content for one in files]
    assert [part.get_content_type() for part in found] == ["text/plain", "application/octet-stream"]


def test_copies_are_in_the_headers_and_blind_copies_are_not():
    message = arrived(cc=["Max <max@example.com>"], bcc=["secret@example.com"])

    assert message["Cc"] == "Max <max@example.com>"
    assert "secret" not in message.as_string()


@pytest.mark.parametrize("smuggled", ["\nBcc: x@example.com", "\r\nBcc: x@example.com", "\rX: 1", "\x00", "\x85X: 1", "\u2028X: 1"])
def test_no_field_can_add_a_header(smuggled):
    assert list(refused(subject="Hello" + smuggled)) == ["subject"]
    assert list(refused(sender="Eve" + smuggled + " <no-reply@streamspace.example>")) == ["from"]
    assert list(refused(to=["Jane" + smuggled + " <jane@example.com>"])) == ["to"]
    assert list(refused(cc=["jane@example.com" + smuggled])) == ["cc"]
    assert list(refused(attachments=[Attachment("a" + smuggled, b"")])) == ["attachments.0.filename"]
    assert list(refused(attachments=[Attachment("a", b"", "text/plain" + smuggled + "\n/")])) == ["attachments.0.contentType"]


@given(subject=st.text(min_size=1, max_size=50), name=st.text(max_size=20))
def test_whatever_is_written_the_headers_are_ours(subject, name):
    try:
        message = arrived(subject=subject, to=[f"{name} <jane@example.com>"], cc=[f'"{name}" <max@example.com>'])
    except ValidationError:
        return

    assert set(message.keys()) == {"From", "To", "Cc", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert [address.addr_spec for address in message["To"].addresses] == ["jane@example.com"]
    assert [address.addr_spec for address in message["Cc"].addresses] == ["max@example.com"]


def test_every_bad_address_is_named():
    with pytest.raises(InvalidEmailAddress) as error:
        arrived(to=["jane@example.com", "jane", "x@y"], bcc=["@example.com"])

    assert (error.value.code, error.value.status) == ("INVALID_EMAIL_ADDRESS", 422)
    assert {name: len(sentences) for name, sentences in error.value.details.items()} == {"to": 2, "bcc": 1}
    assert "'jane'" in error.value.details["to"][0]


def test_the_sender_may_have_another_name_and_no_other_address():
    assert arrived(sender="Reports <No-Reply@streamspace.example>")["From"] == "Reports <No-Reply@streamspace.example>"
    for other in ("ceo@streamspace.example", "no-reply@example.com", "no-reply@streamspace.example <ceo@x.example>", "nonsense"):
        assert list(refused(sender=other)) == ["from"]


@pytest.mark.parametrize("more", [{"text": None}, {"template": "welcome"}, {"template": "welcome", "text": None, "html": "<p>"}])
def test_an_email_has_one_body(more):
    assert list(refused(**more)) == ["template"]


def test_too_much_is_refused():
    assert list(refused(attachments=[Attachment("a", bytes(MOST_ATTACHED_BYTES)), Attachment("b", b"1")])) == ["attachments"]
    assert list(refused(to=["jane@example.com"] * 30, bcc=["jane@example.com"] * 21)) == ["to"]
    assert list(refused(to=[])) == ["to"]


@pytest.mark.parametrize("content_type", ["text", "multipart/mixed", "message/rfc822", "a b/c", ""])
def test_an_attachment_is_one_part_of_a_known_kind(content_type):
    assert list(refused(attachments=[Attachment("a", b"", content_type)])) == ["attachments.0.contentType"]


def welcome(data):
    message = arrived(template="welcome", data=data, text=None)
    return message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content()


def test_welcome_takes_a_name_and_a_link():
    for body in welcome({"username": "john", "loginUrl": "https://streamspace.example/login?a=1"}):
        assert "john" in body
        assert "https://streamspace.example/login?a=1" in body


def test_welcome_takes_a_user():
    for body in welcome({"user": {"username": "john", "fullName": "John Doe"}}):
        assert "Welcome to StreamSpace, John Doe!" in body
        assert "john" in body
        assert "Sign in" not in body


def test_welcome_does_without_data():
    for body in welcome({}):
        assert "Welcome to StreamSpace!" in body


def test_a_templates_data_is_escaped_and_never_run():
    text, html = welcome({"username": "<script>alert(1)</script> {{ 7*7 }}", "loginUrl": "javascript:alert(1)"})

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "javascript:" not in html
    assert "49" not in text + html


def test_session_logs_name_their_session():
    message = arrived(
        template="session-logs", data={"sessionId": "user1-firefox"}, text=None, attachments=[Attachment("session.log", b"x")]
    )

    assert "session user1-firefox" in message.get_body(("plain",)).get_content()
    assert len(list(message.iter_attachments())) == 1


@pytest.mark.parametrize("name", ["goodbye", "../welcome", "welcome.html", ""])
def test_an_unknown_template_says_which_there_are(name):
    with pytest.raises(EmailTemplateNotFound, match="session-logs, welcome") as error:
        arrived(template=name, text=None)

    assert (error.value.code, error.value.status) == ("TEMPLATE_NOT_FOUND", 404)
