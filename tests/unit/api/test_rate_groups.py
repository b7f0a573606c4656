"""Which group of the REST document's table each route counts in. Source: REST, Rate Limiting."""

from chalicelib.api.application import every_route

PLUGINS = "/api/v1/admin/plugins"


def group_of(method, path):
    return next(route.rate for route in every_route() if (route.method, route.pattern) == (method, path))


def test_each_route_of_the_document_is_in_the_group_of_its_table():
    expected = {
        ("GET", PLUGINS): "read",
        ("GET", f"{PLUGINS}/{{slug}}"): "read",
        ("GET", f"{PLUGINS}/{{slug}}/settings"): "read",
        ("PUT", f"{PLUGINS}/{{slug}}/settings"): "write",
        ("POST", f"{PLUGINS}/{{slug}}/activate"): "write",
        ("POST", f"{PLUGINS}/{{slug}}/deactivate"): "write",
        ("POST", f"{PLUGINS}/install"): "installation",
        ("POST", f"{PLUGINS}/{{slug}}/update"): "installation",
        ("DELETE", f"{PLUGINS}/{{slug}}"): "write",
        ("GET", f"{PLUGINS}/{{slug}}/dependencies"): "read",
        ("GET", f"{PLUGINS}/marketplace"): "marketplace",
        ("POST", f"{PLUGINS}/check-updates"): "marketplace",
        ("POST", f"{PLUGINS}/bulk"): "write",
        ("GET", f"{PLUGINS}/{{slug}}/events"): "read",
        ("POST", "/api/v1/admin/webhooks"): "write",
    }

    assert {route: group_of(*route) for route in expected} == expected


def test_who_follows_a_job_does_not_use_up_what_they_may_read():
    assert group_of("GET", f"{PLUGINS}/install/{{job_id}}/progress") == "general"
    assert group_of("GET", "/api/v1/admin/jobs/{job_id}") == "general"


def test_every_group_is_one_that_administrators_can_set():
    from chalicelib.core.rate_limiter import DEFAULT_PER_MINUTE

    assert {route.rate for route in every_route()} <= set(DEFAULT_PER_MINUTE)
