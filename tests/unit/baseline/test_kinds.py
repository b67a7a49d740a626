"""What is of one kind: the pods that one Deployment makes, in all that is watched of them."""

import pytest

from lens_exporter.baseline.kinds import kind_of, lasting_of

WEB = {"namespace": "shop", "pod": "web-7d9f8c6b5-x2x4k", "instance": "10.0.0.3:8000", "node": "n1"}


@pytest.mark.parametrize(
    "other",
    [
        WEB | {"pod": "web-64bd9c8c4f-9kq2v", "instance": "10.0.0.9:8000", "node": "n2"},
        WEB | {"pod": "web-7d9f8c6b5-tk8fr", "uid": "4f1c", "pod_template_hash": "7d9f8c6b5"},
        {"namespace": "shop", "pod": "web-zh8r45kkt-c5rrc", "version": "2.1.0", "image": "shop/web:2.1.0"},
        {"namespace": "shop", "pod": "web-zh8r45kkt-c5rrc", "replicaset": "web-zh8r45kkt", "id": f"/kubepods/{'4f' * 32}"},
        {"namespace": "shop", "pod": "web-zh8r45kkt-c5rrc", "id": "/kubepods-pod0a1b2c3d_0a1b_4a1b_8a1b_0a1b2c3d4e5f.slice"},
        {"namespace": "shop", "pod": "web-zh8r45kkt-c5rrc", "name": "k8s_web_web-zh8r45kkt-c5rrc_shop_0"},
        {"namespace": "shop", "pod": "web-zh8r45kkt-c5rrc", "label_version": "2.1.0", "rollouts_pod_template_hash": "zh8r45kkt"},
    ],
)
def test_pods_of_one_deployment_are_of_one_kind(other):
    """Whatever their release is, wherever they run, and whatever address they have."""
    assert kind_of(other) == kind_of(WEB) is not None


@pytest.mark.parametrize(
    "other",
    [
        WEB | {"pod": "api-7d9f8c6b5-x2x4k"},
        WEB | {"namespace": "test"},
        WEB | {"container": "proxy"},
        WEB | {"id": "payments"},
        WEB | {"api_version": "v2"},
        WEB | {"pod": "web-canary-7d9f8c6b5-x2x4k"},
    ],
)
def test_what_differs_in_any_other_label_is_another_kind(other):
    assert kind_of(other) != kind_of(WEB)


def test_the_pod_that_is_told_about_counts_and_not_who_tells():
    one, other = ({"pod": "kube-state-metrics-0", "exported_pod": name} for name in ("web-7d9f8c6b5-x2x4k", "web-64bd9c8c4f-9kq2v"))
    assert kind_of(one) == kind_of(other) == (("pod", "web"),)


@pytest.mark.parametrize(
    "labels",
    [
        {"job": "web"},
        {"instance": "db-1.example:9100"},
        {"instance": "10.0.0.3:9100"},
        {"pod": "kafka-0"},
        {"pod": "node-exporter-x7k2p", "instance": "10.0.0.3:9100"},
        {"pod": "backup-28374950-x7k2p"},
        {"pod": "backup-29745658-x2x4k"},
        {"instance": "prod-md-0-7f89bd6cd4-x9x2k:9100"},
        {"pod": ""},
        {"node": "rabbit@mq1", "instance": "lens:9600"},
    ],
)
def test_machines_and_what_keeps_its_name_are_of_none(labels):
    assert kind_of(labels) is None


@pytest.mark.parametrize("other", [{"id": f"/kubepods/pod/{'b' * 64}"}, {"container_id": "two"}, {"pid": "2"}])
def test_a_start_changes_what_is_unique(other):
    first = WEB | {"id": f"/kubepods/pod/{'a' * 64}", "container_id": "one", "pid": "1", "node": "n1"}
    assert lasting_of(first | other) == lasting_of(first)


@pytest.mark.parametrize("other", [{"node": "n2"}, {"instance": "10.0.0.9:8000"}, {"version": "2"}])
def test_what_a_start_does_not_change_tells_things_apart(other):
    assert lasting_of(WEB | other) != lasting_of(WEB)
