"""The files that plugins publish, as a browser without a token gets them, and nothing else of the bucket."""

import base64

import pytest

from chalicelib import jobs, plugins
from chalicelib.api import assets as routes
from chalicelib.plugins import assets
from tests.integration.jobs.conftest import package
from tests.unit.api.conftest import ask

MAILER = {
    "icon": "logo.png",
    "screenshots": ["./assets/shots/list one.svg", "missing.png"],
    "files": {
        "logo.png": "a picture",
        "assets/shots/list one.svg": "<svg>list</svg>",
        "assets/page.html": "<script>alert(1)</script>",
        "assets/nothing.txt": "",
        "ui/Stats.jsx": "export default 1;",
        "ui/main.js": "export const answer = 42;",
        "lib/secret.js": "no asset",
    },
}


@pytest.fixture
def browse(whole_app):
    return lambda path, **request: ask(whole_app, "GET", f"/plugins/{path}", **request)


def published(slug="mailer", **more):
    """Publishes a package's files, as the step of a job does."""
    return assets.publish(slug, plugins.read_package(package(slug, **(MAILER | more))))


@pytest.fixture
def mailer(platform):
    published()


def install(call, archive):
    answer = call("POST", "/admin/plugins/install", {"source": "upload", "package": base64.b64encode(archive).decode()})
    assert answer.status == 200, answer.text


def content(answer):
    return base64.b64decode(answer.text)


# By address: the media type and the content.
PUBLISHED = {
    "logo.png": ("image/png", b"a picture"),
    "icon.svg": ("image/svg+xml", b"<svg/>"),
    "shots/list%20one.svg": ("image/svg+xml", b"<svg>list</svg>"),
    "page.html": ("text/html; charset=utf-8", b"<script>alert(1)</script>"),
    "nothing.txt": ("text/plain; charset=utf-8", b""),
    "ui/Stats.jsx": ("text/plain; charset=utf-8", b"export default 1;"),
    "ui/main.js": ("text/javascript; charset=utf-8", b"export const answer = 42;"),
}


def test_what_the_package_publishes_is_served_to_anybody_and_runs_nowhere_by_itself(mailer, browse):
    answers = {path: browse(f"mailer/{path}") for path in PUBLISHED}

    assert {path: (one.headers.get("Content-Type"), content(one)) for path, one in answers.items()} == PUBLISHED
    for answer in answers.values():
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_it_costs_one_call(mailer, browse, aws_calls):
    for path, status in {"icon.svg": 200, "none.svg": 404}.items():
        aws_calls.clear()
        assert (browse(f"mailer/{path}").status, aws_calls) == (status, ["GetObject"])
    assert routes.routes.declared[0].aws_calls == 1


def test_the_addresses_that_administrators_are_given_lead_there(platform, call, browse):
    install(call, package("mailer", **MAILER))

    details = call("GET", "/admin/plugins/mailer").body["data"]
    listed = call("GET", "/admin/plugins").body["data"]

    addresses = [details["icon"], listed[0]["icon"], details["screenshots"][0]]
    assert addresses == ["/plugins/mailer/logo.png", "/plugins/mailer/logo.png", "/plugins/mailer/shots/list%20one.svg"]
    assert [browse(one.removeprefix("/plugins/")).status for one in addresses] == [200, 200, 200]


def test_nothing_else_is(mailer, browse):
    paths = [
        "mailer/lib/secret.js",
        "mailer/index.js",
        "mailer/manifest.json",
        "mailer/missing.png",
        "mailer/assets/icon.svg",
        "mailer/ui",
        "mailer/../mailer/icon.svg",
        "mailer/%2e%2e/mailer/icon.svg",
        "mailer/..%2f..%2fpackages/mailer/1.0.0.zip",
        "mailer//icon.svg",
        "mailer/%2Ficon.svg",
        "mailer/./icon.svg",
        "mailer/icon.svg%00.png",
        "mailer/%ED%A0%80",
        "mailer/%FF",
        "mailer%2Ficon.svg",
        "mailer%2F..%2F..%2Fpackages/mailer/1.0.0.zip",
        "other/icon.svg",
        "MAILER/icon.svg",
        "mailer/" + "a" * 790,
        "mailer/" + "/".join(["a" * 250] * 3),
        "mailer/" + "a" * 5_000,
        # There is no list of them.
        "",
        "mailer",
        "mailer/",
    ]

    answers = {path: browse(path) for path in paths}

    assert {path: (one.status, one.error["code"]) for path, one in answers.items()} == dict.fromkeys(paths, (404, "NOT_FOUND"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_they_can_only_be_read(aws, whole_app, method):
    answer = ask(whole_app, method, "/plugins/mailer/icon.svg")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_who_has_a_file_is_not_sent_it_again(mailer, browse):
    etag = browse("mailer/icon.svg").headers["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = browse("mailer/icon.svg", headers={"if-none-match": known})
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", etag)
    assert browse("mailer/icon.svg", headers={"if-none-match": '"other"'}).status == 200


def test_what_is_too_large_for_an_answer_is_linked_to_for_two_minutes(platform, browse):
    large = "é" * (assets.LARGEST_ANSWER_BYTES // 2)
    published(files={"assets/fits.txt": large, "assets/large.txt": f"{large}."})

    assert content(browse("mailer/fits.txt")).decode() == large
    answer = browse("mailer/large.txt")
    assert (answer.status, answer.text, answer.headers["Cache-Control"]) == (307, "", "no-store")
    assert "/assets/mailer/large.txt?" in answer.headers["Location"]
    assert "Expires=" in answer.headers["Location"]


def test_an_update_replaces_them_and_one_of_both_versions_is_there_all_the_time(platform, mailer, browse, monkeypatch):
    seen = []
    s3 = platform.aws.client("s3")
    delete = s3.delete_objects

    def watched(**place):
        seen.append((browse("mailer/page.html").status, browse("mailer/ui/new.js").status))
        return delete(**place)

    monkeypatch.setattr(s3, "delete_objects", watched)
    published(icon="assets/icon.svg", files={"assets/page.html": "<p>new</p>", "ui/new.js": "1"})

    assert set(seen) == {(200, 200)}
    assert content(browse("mailer/page.html")) == b"<p>new</p>"
    assert [browse(f"mailer/{gone}").status for gone in ("logo.png", "ui/main.js", "shots/list%20one.svg")] == [404, 404, 404]


def test_a_named_file_at_the_root_wins_over_one_of_its_name_among_the_assets(platform, browse):
    published(files={"logo.png": "meant", "assets/logo.png": "other"})

    assert content(browse("mailer/logo.png")) == b"meant"


def test_they_go_with_the_plugin_and_stay_with_one_that_is_off(platform, call, browse):
    install(call, package("mailer", **MAILER))
    assert call("POST", "/admin/plugins/mailer/activate").status == 200
    assert call("POST", "/admin/plugins/mailer/deactivate").status == 200
    assert browse("mailer/icon.svg").status == 200

    assert call("DELETE", "/admin/plugins/mailer").status == 200
    assert browse("mailer/icon.svg").status == 404


def test_an_install_that_fails_leaves_none(platform, repository, browse):
    platform.loads["broken"] = {"ok": False, "error": {"name": "Error", "message": "no", "stack": ""}}
    repository.publish(package("broken"))

    assert platform.install("broken").status == jobs.FAILED
    assert browse("broken/icon.svg").status == 404
