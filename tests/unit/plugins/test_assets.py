"""What a published file's address and media type are."""

import pytest

from chalicelib.plugins import assets


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("assets/icon.svg", "/plugins/mailer/icon.svg"),
        ("./assets/icon.svg", "/plugins/mailer/icon.svg"),
        ("/assets/shots/list one.png", "/plugins/mailer/shots/list%20one.png"),
        ("icon#1?.png", "/plugins/mailer/icon%231%3F.png"),
        ("ui/Stats.jsx", "/plugins/mailer/ui/Stats.jsx"),
        ("https://example.com/a.png", "https://example.com/a.png"),
        ("data:image/png;base64,AA==", "data:image/png;base64,AA=="),
        ("http.png", "/plugins/mailer/http.png"),
        ("", None),
        (None, None),
    ],
)
def test_the_address_of_a_file(path, address):
    assert assets.address("mailer", path) == address


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("icon.svg", "image/svg+xml"),
        ("icon.PNG", "image/png"),
        ("photo.webp", "image/webp"),
        ("ui/main.js", "text/javascript; charset=utf-8"),
        ("ui/main.mjs", "text/javascript; charset=utf-8"),
        ("ui/Stats.jsx", "text/plain; charset=utf-8"),
        ("ui/Stats.ts", "text/plain; charset=utf-8"),
        ("ui/Stats.tsx", "text/plain; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("page.html", "text/html; charset=utf-8"),
        ("words.json", "application/json"),
        ("letters.woff2", "font/woff2"),
        ("drawing.svgz", "application/octet-stream"),
        ("archive.tar.gz", "application/octet-stream"),
        ("noise.unheard-of", "application/octet-stream"),
        ("LICENSE", "application/octet-stream"),
    ],
)
def test_the_media_type_of_a_file(path, media_type):
    assert assets.type_of(path) == media_type
