"""Where webhooks may be sent."""

import ipaddress

import pytest

from chalicelib.webhooks import addresses

INSIDE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", INSIDE)
def test_addresses_of_our_own_network_are_refused(text):
    assert addresses.refusal(ipaddress.ip_address(text)) is not None


@pytest.mark.parametrize("text", OUTSIDE)
def test_addresses_of_the_internet_are_not(text):
    assert addresses.refusal(ipaddress.ip_address(text)) is None


def test_loopback_may_be_allowed_and_nothing_else_with_it():
    assert addresses.refusal(ipaddress.ip_address("127.0.0.1"), allows_loopback=True) is None
    assert addresses.refusal(ipaddress.ip_address("::1"), allows_loopback=True) is None
    assert addresses.refusal(ipaddress.ip_address("169.254.169.254"), allows_loopback=True) is not None
    assert addresses.refusal(ipaddress.ip_address("10.0.0.1"), allows_loopback=True) is not None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://example.com/x", "URL"),
        ("https://", "URL"),
        ("https://example.com:99999/", "URL"),
        ("https://example.com:0/", "URL"),
        ("//example.com", "URL"),
        ("not a url", "URL"),
        ("http://example.com/", "https"),
        ("https://user:secret@example.com/", "password"),
        ("https://127.0.0.1/", "public"),
        ("https://[::1]/", "public"),
        ("https://169.254.169.254/latest/meta-data/", "public"),
        ("https://example.com/a b", "blanks"),
        ("http://127.0.0.1:8000/", "https"),
    ],
)
def test_a_url_that_cannot_be_a_webhooks_is_refused_with_the_reason(url, word):
    faults = addresses.faults_of(url, allows_loopback=False)

    assert any(word in fault for fault in faults), faults


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://localhost:8000", "http://[::1]:80/", "https://127.0.0.1/"])
def test_where_loopback_is_allowed_it_needs_no_tls(url):
    assert addresses.faults_of(url, allows_loopback=True) == []


def test_a_public_https_url_is_fine():
    assert addresses.faults_of("https://your-server.com/webhook?x=1", allows_loopback=False) == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_name_is_judged_by_what_it_resolves_to(host):
    with pytest.raises(addresses.AddressRefused, match=r"127\.0\.0\.1|::1"):
        addresses.resolve(host, 443, allows_loopback=False)
