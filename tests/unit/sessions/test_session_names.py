"""Names that people gave become names that Kubernetes and DNS take."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import ids
from chalicelib.sessions import names

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
usernames = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("user", "template", "expected"),
    [
        ("john", "firefox", "john-firefox"),
        ("user1", "firefox-browser", "user1-firefox-browser"),
        ("john", "changedetection.io", "john-changedetection-io"),
        ("John.Doe", "VSCode", "john-doe-vscode"),
    ],
)
def test_a_session_id_reads_like_its_user_and_template(user, template, expected):
    assert names.session_id(user, template) == expected


@given(st.text(max_size=100), st.text(max_size=100))
def test_whatever_people_are_called_a_session_id_is_a_dns_label(user, template):
    plain = names.session_id(user, template)

    assert LABEL.fullmatch(plain)
    assert LABEL.fullmatch(names.suffixed(plain, ids.suffix()))


@given(usernames, st.text(alphabet="abc-.", min_size=70, max_size=90), st.text(alphabet="abc-.", min_size=70, max_size=90))
def test_long_templates_that_begin_alike_have_ids_of_their_own(user, one, other):
    if names.slug(one) != names.slug(other):
        assert names.session_id(user, one) != names.session_id(user, other)


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_users_never_share_a_home(one, other):
    assert LABEL.fullmatch(names.home_claim(one))
    if one != other:
        assert names.home_claim(one) != names.home_claim(other)


@given(usernames, st.text(max_size=80))
def test_a_services_name_starts_with_a_letter(user, template):
    name = names.objects_of(names.session_id(user, template))

    assert LABEL.fullmatch(name)
    assert name[0].isalpha()


@given(st.text(max_size=300))
def test_any_text_makes_a_label_value(text):
    assert LABEL_VALUE.fullmatch(names.label_value(text))


def test_a_home_is_readable():
    assert names.home_claim("john") == "home-john"
