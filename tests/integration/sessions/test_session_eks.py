"""A token for EKS is a signed request that says who asks, and for which cluster."""

import base64
import time
from urllib.parse import parse_qs, urlsplit

from chalicelib.core import clock
from chalicelib.sessions import eks


def request_in(token: str) -> tuple[str, dict[str, list[str]]]:
    encoded = token.removeprefix("k8s-aws-v1.")
    assert encoded != token
    assert "=" not in encoded
    url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    return f"{url.scheme}://{url.netloc}{url.path}", parse_qs(url.query)


def test_a_token_is_a_signed_request_for_the_callers_identity(aws):
    address, query = request_in(eks.token("streamspace"))

    assert address == "https://sts.us-east-1.amazonaws.com/"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-Credential"][0].endswith("/us-east-1/sts/aws4_request")
    assert len(query["X-Amz-Signature"][0]) == 64


def test_a_token_is_for_one_cluster(aws):
    assert request_in(eks.token("one"))[1]["X-Amz-Signature"] != request_in(eks.token("other"))[1]["X-Amz-Signature"]


def test_a_token_is_used_until_shortly_before_it_ends(aws):
    tokens = eks.Tokens("streamspace")
    first = tokens.current()

    # A signature has the time in it, to the second.
    time.sleep(1.1)
    with clock.travel(13 * 60):
        again = tokens.current()
    with clock.travel(14 * 60 + 1):
        later = tokens.current()

    assert again == first
    assert later != first
