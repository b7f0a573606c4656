"""What the simulated cluster answers to the official client: objects, patches, selectors, watches, deletion."""

import json
import threading
import urllib.request

import pytest
from kubernetes import client, dynamic, watch
from kubernetes.client.exceptions import ApiException


def reason(problem: pytest.ExceptionInfo[ApiException]) -> tuple[int, str]:
    return problem.value.status, json.loads(problem.value.body)["reason"]


def config_map(name, **labels):
    return {"metadata": {"name": name, "labels": labels}, "data": {"k": "v"}}


def test_a_created_object_gets_an_identity_and_can_be_read_back(core, pod):
    made = core.create_namespaced_pod("default", pod())

    read = core.read_namespaced_pod("john-firefox", "default")

    assert made.metadata.uid == read.metadata.uid
    assert made.metadata.generation == 1
    assert made.metadata.creation_timestamp is not None
    assert made.status.phase == "Pending"
    assert read.spec.restart_policy == "Always"


def test_refusals_are_kubernetes_status_objects(core, pod):
    core.create_namespaced_pod("default", pod())

    with pytest.raises(ApiException) as twice:
        core.create_namespaced_pod("default", pod())
    with pytest.raises(ApiException) as absent:
        core.read_namespaced_pod("nobody", "default")
    with pytest.raises(ApiException) as nowhere:
        core.create_namespaced_pod("nowhere", pod())
    with pytest.raises(ApiException) as empty:
        core.create_namespaced_pod("default", {"metadata": {"name": "x"}, "spec": {"containers": []}})
    with pytest.raises(ApiException) as misnamed:
        core.create_namespaced_pod("default", pod("Not_A_Name"))

    assert reason(twice) == (409, "AlreadyExists")
    assert reason(absent) == (404, "NotFound")
    assert reason(nowhere) == (404, "NotFound")
    assert reason(empty) == (422, "Invalid")
    assert "spec.containers: Required value" in json.loads(empty.value.body)["message"]
    assert reason(misnamed) == (422, "Invalid")


def test_a_stale_replacement_is_a_conflict_and_a_fresh_one_raises_the_version(core):
    first = core.create_namespaced_config_map("default", config_map("settings"))
    second = core.patch_namespaced_config_map("settings", "default", {"data": {"k": "w"}})

    first.data = {"k": "lost update"}
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("settings", "default", first)

    assert reason(stale) == (409, "Conflict")
    assert int(second.metadata.resource_version) > int(first.metadata.resource_version)


def test_a_patch_that_changes_nothing_leaves_the_version_alone(core):
    before = core.create_namespaced_config_map("default", config_map("settings"))

    after = core.patch_namespaced_config_map("settings", "default", {"data": {"k": "v"}})

    assert after.metadata.resource_version == before.metadata.resource_version


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("user=john", {"a", "b"}),
        ("user==john,template=chrome", {"b"}),
        ("user!=john", {"c", "d"}),
        ("template in (chrome, code)", {"b", "c"}),
        ("template notin (chrome,code)", {"a", "d"}),
        ("template", {"a", "b", "c"}),
        ("!template", {"d"}),
    ],
)
def test_label_selectors_choose(core, selector, expected):
    for item in (
        config_map("a", user="john", template="firefox"),
        config_map("b", user="john", template="chrome"),
        config_map("c", user="mary", template="code"),
        config_map("d"),
    ):
        core.create_namespaced_config_map("default", item)

    found = core.list_namespaced_config_map("default", label_selector=selector)

    assert {item.metadata.name for item in found.items} == expected


def test_fields_select_and_unknown_fields_are_refused(core, pod, until):
    core.create_namespaced_pod("default", pod("runs"))
    core.create_namespaced_pod("default", pod("waits", cpu="64"))
    until(lambda: core.read_namespaced_pod("runs", "default").status.phase == "Running")

    running = core.list_pod_for_all_namespaces(field_selector="status.phase=Running")
    others = core.list_namespaced_pod("default", field_selector="metadata.name!=runs")
    with pytest.raises(ApiException) as unknown:
        core.list_namespaced_pod("default", field_selector="spec.colour=red")

    assert [item.metadata.name for item in running.items] == ["runs"]
    assert [item.metadata.name for item in others.items] == ["waits"]
    assert reason(unknown) == (400, "BadRequest")


def test_a_long_list_comes_in_pages(core):
    for number in range(7):
        core.create_namespaced_config_map("default", config_map(f"item-{number}"))

    seen, token = [], None
    while True:
        page = core.list_namespaced_config_map("default", limit=3, _continue=token)
        seen.append([item.metadata.name for item in page.items])
        token = page.metadata._continue
        if not token:
            break

    assert [len(names) for names in seen] == [3, 3, 1]
    assert sorted(name for names in seen for name in names) == [f"item-{number}" for number in range(7)]


def test_merge_strategic_and_json_patches(core, api, pod):
    core.create_namespaced_pod("default", pod(labels={"a": "1", "b": "2"}))
    new_image = {"spec": {"containers": [{"name": "desktop", "image": "firefox:2"}]}}

    strategic = core.patch_namespaced_pod("john-firefox", "default", new_image)
    merged = core.patch_namespaced_pod("john-firefox", "default", {"metadata": {"labels": {"a": None, "c": "3"}}})
    operations = [
        {"op": "test", "path": "/metadata/labels/b", "value": "2"},
        {"op": "replace", "path": "/metadata/labels/b", "value": "4"},
        {"op": "add", "path": "/metadata/annotations", "value": {"x/y": "z"}},
    ]
    operated = core.patch_namespaced_pod("john-firefox", "default", operations)
    with pytest.raises(ApiException) as failed_test:
        core.patch_namespaced_pod("john-firefox", "default", operations[:1])

    assert strategic.spec.containers[0].image == "firefox:2"
    assert strategic.spec.containers[0].resources.requests["cpu"] == "100m"
    assert merged.metadata.labels == {"b": "2", "c": "3"}
    assert operated.metadata.labels["b"] == "4"
    assert operated.metadata.annotations == {"x/y": "z"}
    assert reason(failed_test) == (422, "Invalid")


def test_a_running_pod_keeps_what_cannot_be_changed(core, pod):
    core.create_namespaced_pod("default", pod())

    with pytest.raises(ApiException) as refused:
        core.patch_namespaced_pod("john-firefox", "default", {"spec": {"restartPolicy": "Never"}})

    assert reason(refused) == (422, "Invalid")


class TestServerSideApply:
    @pytest.fixture
    def apply(self, api):
        resource = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")

        def applied(data, manager, *, force=False, name="settings"):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            return resource.server_side_apply(body=body, namespace="default", field_manager=manager, force_conflicts=force)

        return applied

    def test_it_creates_and_says_who_owns_what(self, apply):
        made = apply({"a": "1"}, "platform")

        assert made.data.a == "1"
        (entry,) = made.metadata.managedFields
        assert (entry.manager, entry.operation) == ("platform", "Apply")
        assert entry.fieldsV1.to_dict() == {"f:data": {"f:a": {}}}

    def test_a_field_that_its_only_owner_leaves_out_is_removed(self, apply):
        apply({"a": "1", "b": "2"}, "platform")

        changed = apply({"a": "1"}, "platform")

        assert changed.data.to_dict() == {"a": "1"}

    def test_another_managers_value_is_a_conflict_unless_forced(self, apply):
        apply({"a": "1"}, "platform")
        apply({"b": "2"}, "operator")

        with pytest.raises(dynamic.exceptions.ConflictError) as conflict:
            apply({"a": "9"}, "operator")
        forced = apply({"a": "9"}, "operator", force=True)

        assert 'conflict with "platform": .data.a' in json.loads(conflict.value.body)["message"]
        assert forced.data.to_dict() == {"a": "9"}

    def test_applying_the_same_again_changes_no_version(self, apply):
        first = apply({"a": "1"}, "platform")

        again = apply({"a": "1"}, "platform")

        assert again.metadata.resourceVersion == first.metadata.resourceVersion

    def test_a_pods_containers_are_owned_one_by_one(self, core, api, pod):
        pods = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="Pod")
        body = {"apiVersion": "v1", "kind": "Pod", **pod()}

        pods.server_side_apply(body=body, namespace="default", field_manager="platform")
        body["spec"]["containers"][0]["image"] = "firefox:2"
        changed = pods.server_side_apply(body=body, namespace="default", field_manager="platform")

        assert changed.spec.containers[0].image == "firefox:2"
        assert len(changed.spec.containers) == 1


def test_a_watch_tells_what_happens_in_order(core):
    begin = core.list_namespaced_config_map("default").metadata.resource_version
    seen = []

    def follow():
        stream = watch.Watch().stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=begin,
            label_selector="user=john",
            timeout_seconds=3,
        )
        for event in stream:
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED" and event["object"].metadata.name == "b":
                break

    follower = threading.Thread(target=follow)
    follower.start()
    core.create_namespaced_config_map("default", config_map("a", user="john"))
    core.create_namespaced_config_map("default", config_map("other", user="mary"))
    core.create_namespaced_config_map("default", config_map("b", user="john"))
    core.patch_namespaced_config_map("a", "default", {"data": {"k": "w"}})
    core.patch_namespaced_config_map("a", "default", {"metadata": {"labels": {"user": "mary"}}})
    core.delete_namespaced_config_map("b", "default")
    follower.join(timeout=10)

    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a"), ("DELETED", "b")]


def test_a_watch_from_too_long_ago_is_told_to_list_again(core, cluster):
    cluster.store.load(cluster.store.dump())

    with pytest.raises(ApiException) as expired:
        next(iter(watch.Watch().stream(core.list_namespaced_pod, "default", resource_version="2", timeout_seconds=2)))

    assert expired.value.status == 410


def test_deleting_an_owner_deletes_what_it_owned_and_nothing_else(core, networking, pod, until):
    owner = core.create_namespaced_pod("default", pod())
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "john-firefox", "uid": owner.metadata.uid}
    service = {"metadata": {"name": "owned", "ownerReferences": [reference]}, "spec": {"ports": [{"port": 80}]}}
    core.create_namespaced_service("default", service)
    core.create_namespaced_config_map("default", config_map("unrelated"))

    core.delete_namespaced_pod("john-firefox", "default")
    until(lambda: not core.list_namespaced_pod("default").items)

    assert core.list_namespaced_service("default").items == []
    assert len(core.list_namespaced_config_map("default").items) == 1


def test_orphaned_dependents_stay(core):
    owner = core.create_namespaced_config_map("default", config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [reference]
    core.create_namespaced_config_map("default", child)

    core.delete_namespaced_config_map("owner", "default", propagation_policy="Orphan")

    assert core.read_namespaced_config_map("child", "default").metadata.owner_references is None


def test_preconditions_protect_a_namesake(core):
    core.create_namespaced_config_map("default", config_map("settings"))

    with pytest.raises(ApiException) as refused:
        core.delete_namespaced_config_map(
            "settings", "default", body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
        )

    assert reason(refused) == (409, "Conflict")
    assert core.read_namespaced_config_map("settings", "default")


def test_finalizers_hold_an_object_until_they_are_taken_away(core):
    held = config_map("held")
    held["metadata"]["finalizers"] = ["streamspace.io/backup"]
    core.create_namespaced_config_map("default", held)

    core.delete_namespaced_config_map("held", "default")
    marked = core.read_namespaced_config_map("held", "default")
    operations = [{"op": "remove", "path": "/metadata/finalizers"}]
    core.patch_namespaced_config_map("held", "default", operations)
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_config_map("held", "default")

    assert marked.metadata.deletion_timestamp is not None
    assert gone.value.status == 404


def test_namespaces_come_and_go_with_all_that_is_in_them(core, networking):
    core.create_namespace({"metadata": {"name": "streamspace"}})
    core.create_namespaced_config_map("streamspace", config_map("inside"))
    rule = {"host": "x.streamspace.local", "http": {"paths": [_path("x")]}}
    networking.create_namespaced_ingress("streamspace", {"metadata": {"name": "x"}, "spec": {"rules": [rule]}})
    networking.create_namespaced_network_policy(
        "streamspace", {"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    )

    core.delete_namespace("streamspace")

    assert "streamspace" not in {item.metadata.name for item in core.list_namespace().items}
    assert networking.list_ingress_for_all_namespaces().items == []
    assert networking.list_network_policy_for_all_namespaces().items == []


def _path(service):
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {"path": "/", "pathType": "Prefix", "backend": backend}


def test_a_dry_run_checks_and_changes_nothing(core, pod):
    core.create_namespaced_pod("default", pod(), dry_run="All")

    assert core.list_namespaced_pod("default").items == []


def test_it_says_that_it_is_well_and_what_it_is(cluster, api):
    health = urllib.request.urlopen(f"{cluster.url}/healthz").read()

    assert health == b"ok"
    assert client.VersionApi(api).get_code().git_version.endswith("simulated")


def test_what_was_saved_is_there_after_a_restart(cluster, core):
    made = core.create_namespaced_config_map("default", config_map("kept"))
    saved = json.loads(json.dumps(cluster.dump()))
    core.delete_namespaced_config_map("kept", "default")

    cluster.load(saved)
    read = core.read_namespaced_config_map("kept", "default")
    newer = core.create_namespaced_config_map("default", config_map("newer"))

    assert read.metadata.uid == made.metadata.uid
    assert int(newer.metadata.resource_version) > int(read.metadata.resource_version)
