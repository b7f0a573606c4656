"""The files that a plugin publishes, as a browser fetches them: through the gateway, whole, of the right kind, and nothing else."""

from __future__ import annotations

import base64
import random

import pytest
import urllib3

pytestmark = pytest.mark.e2e

PICTURE = bytes(range(256)) * 4
LARGE = random.Random(1).randbytes(5 * 1024 * 1024)  # does not shrink
FILES = {
    "assets/icon one.png": PICTURE,
    "assets/film.webm": LARGE,
    "ui/main.js": b"export const greeting = 'gr\xc3\xbc\xc3\x9f dich';\n",
    "lib/secret.js": b"no asset",
}


@pytest.fixture
def picturesque(plugin):
    written = plugin.write("module.exports = {};", icon="assets/icon one.png")
    for path, content in FILES.items():
        file = written.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    return written


def test_they_are_there_from_the_installation_to_the_uninstallation(api, picturesque):
    browser = urllib3.PoolManager(retries=False)

    def get(path, **headers):
        return browser.request("GET", f"{api.url}{path}", headers=headers, redirect=False)

    at = f"/plugins/{picturesque.slug}"
    assert get(f"{at}/icon%20one.png").status == 404
    install_by_upload(api, picturesque)

    icon = api.ask("GET", f"/admin/plugins/{picturesque.slug}").data["icon"]
    assert icon == f"{at}/icon%20one.png"
    picture = get(icon)
    assert (picture.status, picture.data, picture.headers["Content-Type"]) == (200, PICTURE, "image/png")
    assert picture.headers["Content-Security-Policy"].startswith("sandbox")
    again = get(icon, **{"If-None-Match": picture.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")

    module = get(f"{at}/ui/main.js")
    assert (module.data, module.headers["Content-Type"]) == (FILES["ui/main.js"], "text/javascript; charset=utf-8")

    film = get(f"{at}/film.webm")
    assert film.status == 307
    followed = browser.request("GET", film.headers["Location"])
    assert (followed.data, followed.headers["Content-Type"]) == (LARGE, "video/webm")

    for hidden in ("lib/secret.js", "index.js", "manifest.json", "..%2f..%2fpackages%2f" + picturesque.slug + "%2f1.0.0.zip", "%00", ""):
        assert get(f"{at}/{hidden}").status == 404, hidden
    assert browser.request("PUT", f"{api.url}{icon}", body=b"mine").status == 405

    api.uninstall(picturesque.slug, backup=False)
    assert get(icon).status == 404


def install_by_upload(api, written):
    """Its package is too large for a request."""
    content = base64.b64decode(written.package)
    place = api.ask("POST", "/admin/plugins/install/uploads", {"size_bytes": len(content)}).data
    put = urllib3.request("PUT", place["url"], body=content, headers=place["headers"])
    assert put.status == 200, put.data
    answer = api.ask("POST", "/admin/plugins/install", {"source": "upload", "upload_id": place["upload_id"]})
    if answer.status == 202:
        job = api.finished(answer)
        assert job["status"] == "succeeded", job
