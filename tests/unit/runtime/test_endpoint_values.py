"""Which endpoint a path is for, and what of its answer goes out: rules on plain values."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.runtime import endpoint_answers, endpoint_paths, registration
from chalicelib.runtime.errors import PluginCrashed, PluginFailedToLoad

unhurried = settings(max_examples=100, deadline=None)


def endpoints(*titles):
    return [dict(zip(("method", "path"), title.split(" "), strict=True)) for title in titles]


def found(path, *titles):
    return [(endpoint_paths.title(one), parameters) for one, parameters in endpoint_paths.at(endpoints(*titles), path)]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", [("GET /", {})]),
        ("/items", [("GET /items", {})]),
        ("/items/", [("GET /items", {})]),
        ("/items/new", [("GET /items/new", {}), ("GET /items/:id", {"id": "new"}), ("POST /items/*", {"0": "new"})]),
        ("/items/a%2Fb", [("GET /items/:id", {"id": "a/b"}), ("POST /items/*", {"0": "a/b"})]),
        ("/items/7/parts/8", [("GET /items/:id/parts/:part", {"id": "7", "part": "8"}), ("POST /items/*", {"0": "7/parts/8"})]),
        ("/files/a/b%20c", [("GET /files/*rest", {"rest": "a/b c"})]),
        ("/files", []),
        ("/Items", []),
        ("/items//parts/8", [("POST /items/*", {"0": "/parts/8"})]),
        ("/%69tems", [("GET /items", {})]),
    ],
)
def test_the_most_specific_path_comes_first_with_its_decoded_parameters(path, wanted):
    paths = ("POST /items/*", "GET /items/:id/parts/:part", "GET /items/:id", "GET /items", "GET /", "GET /items/new", "GET /files/*rest")

    assert found(path, *paths) == wanted


WORDS = st.text("abcdefgh-._~", min_size=1, max_size=8).filter(lambda word: set(word) != {"."})


@unhurried
@given(st.lists(st.tuples(st.booleans(), WORDS), min_size=1, max_size=6))
def test_a_path_made_from_a_pattern_is_found_with_what_was_put_in(parts):
    pattern = "/" + "/".join(f":p{at}" if is_named else word for at, (is_named, word) in enumerate(parts))
    path = "/" + "/".join(word for _, word in parts)

    assert found(path, f"GET {pattern}") == [(f"GET {pattern}", {f"p{at}": word for at, (is_named, word) in enumerate(parts) if is_named})]


@pytest.mark.parametrize("path", ["items", "", "/a//b", "/*/a", "/a b", "/a?b", "/:", "/:1a", "/a\n", "/é", "/a#b", "//", "/a/"])
def test_a_path_that_cannot_be_served_fails_the_load(path):
    with pytest.raises(PluginFailedToLoad):
        registration.checked("p", {"endpoints": [{"method": "GET", "path": path}]})


@pytest.mark.parametrize("path", ["/", "/a", "/a/:b", "/*", "/a/*rest", "/a.b/c-d_e~f", "/%C3%A9", "/@me"])
def test_a_path_that_can_be_served_is_taken(path):
    assert registration.checked("p", {"endpoints": [{"method": "GET", "path": path}]})


@pytest.mark.parametrize("method", ["get", "FETCH", "", None])
def test_an_unknown_method_fails_the_load(method):
    with pytest.raises(PluginFailedToLoad):
        registration.checked("p", {"endpoints": [{"method": method, "path": "/a"}]})


@pytest.mark.parametrize(("one", "other"), [("/a/:id", "/a/:name"), ("/*", "/*rest"), ("/a", "/%61")])
def test_two_endpoints_for_the_same_requests_fail_the_load_and_both_are_named(one, other):
    with pytest.raises(PluginFailedToLoad) as refused:
        registration.checked("p", {"endpoints": [{"method": "GET", "path": one}, {"method": "GET", "path": other}]})

    assert one in refused.value.message
    assert registration.checked("p", {"endpoints": [{"method": "GET", "path": one}, {"method": "PUT", "path": one}]})


def goes_out(response, *, is_head=False):
    return endpoint_answers.passed_on("p", "GET /a", response, is_head=is_head)


def test_headers_are_passed_on_by_name_and_the_browser_is_told_to_trust_nothing():
    given = {
        "content-type": "text/html",
        "X-Total": 3,
        "link": ["<a>", "<b>"],
        "location": "/x",
        "Set-Cookie": "session=stolen",
        "content-security-policy": "none",
        "Content-Security-Policy": "none",
        "x-frame-options": "ALLOWALL",
        "X-Request-Id": "mine",
        "transfer-encoding": "chunked",
        "content-length": "5",
        "service-worker-allowed": "/",
        "strict-transport-security": "max-age=0",
        "clear-site-data": "*",
        "x-evil": "a\r\nSet-Cookie: b",
        "x bad name": "v",
        "access-control-allow-origin": "*",
    }

    answer = goes_out({"status": 200, "headers": given, "text": "<h1>"})

    assert {name: value for name, value in answer.headers.items() if name not in endpoint_answers.SAFETY} == {
        "Content-Type": "text/html",
        "X-Total": "3",
        "Link": ["<a>", "<b>"],
        "Location": "/x",
        "Access-Control-Allow-Origin": "*",
    }
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_bytes_and_text_go_out_as_they_are():
    assert goes_out({"status": 200, "base64": base64.b64encode(b"\x00\xff").decode()}).content == b"\x00\xff"
    assert goes_out({"status": 200, "text": "é\ud800"}).content == "é\ufffd"
    assert goes_out({"status": 599}).content == ""


@pytest.mark.parametrize(("status", "is_head"), [(204, False), (304, False), (200, True)])
def test_what_has_no_body_gets_none(status, is_head):
    assert goes_out({"status": status, "text": "body"}, is_head=is_head).content == ""


@pytest.mark.parametrize(
    "response",
    [
        None,
        [],
        {},
        {"status": "200"},
        {"status": 199},
        {"status": 600},
        {"status": True},
        {"status": 200, "text": 7},
        {"status": 200, "base64": "no base64!"},
        {"status": 200, "base64": 7},
        {"status": 200, "text": "x" * (5 * 1024 * 1024 + 1)},
        {"status": 200, "headers": {"x-a": "v" * 9000}},
    ],
)
def test_an_answer_that_breaks_the_protocol_is_the_plugins_fault_and_says_whose(response):
    with pytest.raises(PluginCrashed) as crashed:
        goes_out(response)

    assert "'GET /a' of 'p'" in crashed.value.message
