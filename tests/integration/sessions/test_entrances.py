"""No session is put behind an ingress that asks nobody who may come in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sessions_cluster import ingress_class

from chalicelib import sessions
from chalicelib.core import clock, config
from chalicelib.sessions.cluster import ClusterRefused
from chalicelib.sessions.worker import place_of_settings

ALB = ingress_class("alb", "ingress.k8s.aws/alb")


@pytest.fixture
def john(platform):
    platform.template()
    return platform.user("john")


@pytest.fixture
def started(platform, john):
    """``started(ingress_class="x")``: a session of a worker whose place is so; what it shows."""

    def start(session=None, **place):
        session = session or platform.session()
        there = replace(platform.place, **place)
        replace(platform.worker, place=lambda: there).reconcile(session.id)
        return sessions.status_object(sessions.get_session(session.id, by=john))

    return start


def classes_listed(platform):
    return [call for call in platform.cluster.calls if call[1] == "IngressClass"]


@pytest.mark.parametrize(
    ("classes", "place", "said"),
    [
        ([ALB], {}, "'alb' is run by 'ingress.k8s.aws/alb', which is not known to ask who may come in"),
        ([ingress_class("nginx"), ALB], {"ingress_class": "alb"}, "'alb' is run by 'ingress.k8s.aws/alb'"),
        ([ingress_class("nginx"), ALB], {}, "'alb' is run by"),
        ([ingress_class("odd", "")], {}, "'odd' is run by ''"),
        ([ingress_class("nginx", is_default=False)], {}, "no default ingress class"),
        ([], {}, "no default ingress class"),
        ([ingress_class("nginx")], {"ingress_class": "ngnix"}, "no ingress class 'ngnix'"),
        ([ingress_class("nginx")], {"platform_url": ""}, "nobody to ask"),
        ([ingress_class("nginx")], {"ingress_controllers": ("traefik.io/ingress-controller",)}, "Use a class of traefik.io"),
    ],
)
def test_a_session_is_not_started_behind_it_and_says_why(platform, started, classes, place, said):
    platform.cluster.ingress_classes = classes

    status = started(**place)

    assert (status["ready"], status["phase"], status["reason"]) == (False, "Failed", "IngressNotGuarded")
    assert status["message"].startswith("It is not started, since nothing would ask who may come in")
    assert said in status["message"]
    assert platform.cluster.kinds() == []


@pytest.mark.parametrize(
    ("classes", "place", "used"),
    [
        ([ALB | {"metadata": {"name": "alb"}}, ingress_class("nginx")], {}, "nginx"),
        ([ALB, ingress_class("internal", is_default=False)], {"ingress_class": "internal"}, "internal"),
        ([ingress_class("edge", "traefik.io/ingress-controller")], {"ingress_controllers": ("traefik.io/ingress-controller",)}, "edge"),
    ],
)
def test_an_ingress_names_the_class_that_was_looked_at(platform, started, classes, place, used):
    platform.cluster.ingress_classes = classes

    assert started(**place)["ready"]
    assert platform.cluster.only("Ingress")["spec"]["ingressClassName"] == used


def test_it_starts_once_that_is_mended(platform, started):
    platform.cluster.ingress_classes = [ALB]
    session = platform.session()
    assert started(session)["reason"] == "IngressNotGuarded"

    platform.cluster.ingress_classes = [ingress_class("nginx")]

    assert started(session)["ready"], "what was refused is looked at again each time"


def test_the_cluster_is_asked_once_in_five_minutes(platform, john):
    platform.ready_session(), platform.ready_session()
    assert len(classes_listed(platform)) == 1

    with clock.travel(301):
        platform.ready_session()
    assert len(classes_listed(platform)) == 2


def test_another_class_is_looked_at_at_once(platform, started):
    assert started()["ready"]
    assert started(ingress_class="ngnix")["reason"] == "IngressNotGuarded"


def test_a_session_without_an_address_needs_no_ingress(platform, started):
    platform.cluster.ingress_classes = []
    platform.template("batch", ports=[])

    assert started(platform.session(template="batch"))["ready"]


def test_a_cluster_that_does_not_show_its_classes_starts_none(platform, started, monkeypatch):
    def forbidden(kind, *_, **__):
        raise ClusterRefused(403, "Forbidden", f"{kind} is forbidden: cannot list resource")

    monkeypatch.setattr(platform.cluster, "everywhere", forbidden)

    status = started()

    assert (status["phase"], status["reason"]) == ("Failed", "Forbidden")
    assert "IngressClass is forbidden" in status["message"]
    assert platform.cluster.kinds() == []


def test_the_controllers_are_a_setting():
    assert place_of_settings().ingress_controllers == ("k8s.io/ingress-nginx",)
    with config.overridden(INGRESS_CONTROLLERS="k8s.io/ingress-nginx, traefik.io/ingress-controller"):
        assert place_of_settings().ingress_controllers == ("k8s.io/ingress-nginx", "traefik.io/ingress-controller")
