"""What nodes have left: the largest piece counts, not the sum."""

from chalicelib.sessions.room import Room, fits, requests_of

GI = 1024**3


def node(name, memory="8Gi", cpu="4", *, pods="10", ready="True", **spec):
    status = {"allocatable": {"memory": memory, "cpu": cpu, "pods": pods}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def pod(on, memory="1Gi", cpu="1", **spec):
    return {"spec": {"nodeName": on, "containers": [{"resources": {"requests": {"memory": memory, "cpu": cpu}}}], **spec}}


def test_a_pod_needs_one_node_with_room_for_all_of_it():
    room = Room([node("a"), node("b")])
    room.take([pod("a", "6Gi", "1"), pod("b", "1Gi", "3500m")])

    most = room.most()

    assert most == [(7 * GI, 500), (2 * GI, 3000)]
    assert fits((2 * GI, 3000), most)
    assert not fits((3 * GI, 1000), most)


def test_nodes_that_take_no_pods_have_no_room():
    tainted = [{"key": "gpu", "effect": "NoSchedule"}]
    room = Room([node("a", unschedulable=True), node("b", ready="False"), node("c", taints=tainted), node("d", pods="1")])
    room.take([pod("d"), pod("elsewhere")])

    assert room.most() == []
    assert room.has_nodes
    assert not Room([node("a", ready="Unknown")]).has_nodes


def test_a_pod_takes_what_its_largest_moment_needs():
    first = [{"resources": {"requests": {"memory": "3Gi"}}}]

    assert requests_of(pod("a", initContainers=first, overhead={"memory": "1Gi"})) == (4 * GI, 1000)
    assert requests_of({"spec": {"containers": [{}]}}) == (0, 0)
