"""What administrators decide by the command line: only what was named is changed."""

import pytest

POLICY = {"pinned_version": None, "skipped_versions": ["1.1.0"], "automatic": None, "wait_hours": 48}
SHOWN = {**POLICY, "effective": {"automatic": "security", "wait_hours": 48}}
LISTS = {
    "allow": {"plugins": [], "publishers": []},
    "deny": {"plugins": ["bad"], "publishers": ["Mallory"]},
    "denied": [],
    "changed_at": "2026-03-01T10:00:00Z",
    "changed_by": "ann",
}
OF_MAILER = "/admin/plugins/mailer/update-policy"


@pytest.mark.parametrize(
    ("options", "change"),
    [
        (["--pin", "1.0.0"], {"pinned_version": "1.0.0"}),
        (["--skip", "1.2.0", "--skip", "1.1.0"], {"skipped_versions": ["1.1.0", "1.2.0"]}),
        (["--unskip", "1.1.0"], {"skipped_versions": []}),
        (["--automatic", "all", "--wait-hours", "0"], {"automatic": "all", "wait_hours": 0}),
    ],
    ids=["pin", "skip", "unskip", "automatic"],
)
def test_a_policy_keeps_what_was_not_named(streamspace, platform, options, change):
    platform.answers(f"GET {OF_MAILER}", SHOWN)
    platform.answers(f"PUT {OF_MAILER}", SHOWN)

    result = streamspace("plugins", "policy", "mailer", *options)

    assert result.exit_code == 0
    assert platform.received[-1].body == {**POLICY, **change}


def test_without_options_a_policy_is_only_shown(streamspace, platform):
    platform.answers(
        "GET /admin/update-policy", {"automatic": "none", "wait_hours": 24, "last_check": {"checked_at": "T", "error": "away"}}
    )

    result = streamspace("plugins", "policy")

    assert [one.method for one in platform.received] == ["GET"]
    assert "away" in result.stdout


@pytest.mark.parametrize(
    "words",
    [("plugins", "policy", "--pin", "1.0.0"), ("plugins", "policy", "x", "--pin", "1.0.0", "--unpin"), ("platform", "safe-mode", "maybe")],
)
def test_a_wrong_call_is_exit_code_2(streamspace, platform, words):
    assert streamspace(*words).exit_code == 2
    assert platform.received == []


def test_lists_keep_what_was_not_named(streamspace, platform):
    platform.answers("GET /admin/plugin-lists", LISTS)
    platform.answers(
        "PUT /admin/plugin-lists", {**LISTS, "denied": [{"slug": "worse", "version": "1.0.0", "status": "active", "reason": "denied"}]}
    )

    result = streamspace("plugins", "lists", "--deny", "worse", "--remove", "Mallory")

    sent = platform.received[-1].body
    assert sent == {"allow": {"plugins": [], "publishers": []}, "deny": {"plugins": ["bad", "worse"], "publishers": []}}
    assert "installed all the same: worse 1.0.0, active" in result.stdout
    assert "changed by ann at 2026-03-01T10:00:00Z" in result.stdout


@pytest.mark.parametrize(("switch", "enabled"), [("on", True), ("off", False)])
def test_safe_mode_is_entered_and_left(streamspace, platform, switch, enabled):
    platform.answers("PUT /admin/platform/safe-mode", {"enabled": enabled, "since": "T", "by": "Ann", "spared": [], "settling": []})

    result = streamspace("platform", "safe-mode", switch)

    assert platform.received[-1].body == {"enabled": enabled}
    assert switch in result.stdout
