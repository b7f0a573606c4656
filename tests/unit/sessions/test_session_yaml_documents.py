"""A YAML document is read without trust."""

import pytest

from chalicelib.core.errors import ValidationError
from chalicelib.sessions import read_yaml


def test_a_date_stays_the_text_that_it_is():
    document = read_yaml(b"kind: Template\nspec: {version: 2024-01-01, port: 3000, enabled: true}\n")

    assert document == {"kind": "Template", "spec": {"version": "2024-01-01", "port": 3000, "enabled": True}}


@pytest.mark.parametrize(
    "text",
    [
        b"a: &x [1]\nb: *x\n",
        b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        b"a: 1\n---\nb: 2\n",
        b"!!python/object/apply:os.system ['true']\n",
        b"a: !!binary aGk=\n",
        b"a: .nan\n",
        b"1: a\n",
        b"- a\n",
        b"just a text",
        b"",
        b"a: [\n",
        b"a: \xff\xfe\n",
        b"[" * 3000,
        b"a: " + b"{a: " * 60 + b"1" + b"}" * 60,
    ],
)
def test_what_is_not_one_plain_mapping_is_refused(text):
    with pytest.raises(ValidationError):
        read_yaml(text)
