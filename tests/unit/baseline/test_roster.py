"""Who is watched, and with whom they are judged."""

import copy

import numpy as np

from lens_exporter.baseline.roster import Roster
from lens_exporter.model.window import Window


def window(*labels, values=None):
    shape = (len(labels), 3)
    return Window("m", labels, np.arange(3) * 60.0, np.zeros(shape) if values is None else np.array(values, float), 60.0)


def instance(name, **more):
    return {"instance": name, "job": "api", **more}


def test_a_series_keeps_its_place_whatever_else_comes():
    """Places are given in the order of appearance, and one metric's series are not another's."""
    roster = Roster(2)
    assert roster.seat(0, (instance("a"), instance("b"))).tolist() == [0, 1]
    assert roster.seat(1, (instance("a"),)).tolist() == [2]
    assert roster.seat(0, (instance("0"), instance("b"), instance("a"))).tolist() == [3, 1, 0]


def test_rows_of_all_metrics_come_into_one_table_with_gaps_for_who_is_away():
    """Each window's rows stand at their series' places."""
    roster = Roster(2)
    roster.seat(0, (instance("a"), instance("b")))
    table = roster.table([window(instance("b"), values=[[1, 2, 3]]), window(instance("a"), values=[[4, 5, 6]])], 3)
    assert np.isnan(table[0]).all()
    assert table[1:].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_four_series_of_one_thing_make_a_group_and_fewer_share_a_budget():
    """Instance and job name a group; three series of another instance are judged one by one, each with a third."""
    roster = Roster(4)
    for metric in range(4):
        roster.seat(metric, (instance("a"),) if metric == 3 else (instance("a"), instance("b")))
    grouped = roster.grouped()
    assert [[roster.labels[place]["instance"] for place in group] for group in grouped.groups] == [["a"] * 4]
    assert grouped.labels == ({"instance": "a", "job": "api"},)
    assert {round(share, 3) for place, share in enumerate(grouped.shares) if roster.labels[place]["instance"] == "b"} == {0.333}


def test_the_first_naming_label_decides_and_where_it_is_tells_it_apart():
    """Pods of two namespaces with one name are two things; series without any name are nobody's."""
    roster = Roster(1)
    roster.seat(0, tuple({"pod": "p", "namespace": n, "path": str(i)} for n in ("x", "y") for i in range(4)))
    roster.seat(0, tuple({"path": str(i)} for i in range(9)))
    assert [dict(key) for key in roster.grouped().keys] == [{"pod": "p", "namespace": "x"}, {"pod": "p", "namespace": "y"}]


def test_labels_may_be_named_that_make_a_group():
    """With group labels given, those alone decide."""
    roster = Roster(1, ("zone",))
    roster.seat(0, tuple(instance(str(i), zone="eu" if i < 5 else "us") for i in range(9)))
    assert roster.grouped().labels == ({"zone": "eu"}, {"zone": "us"})


def test_who_has_none_of_the_named_labels_is_nobodys():
    """A name that no series has, mistyped maybe, makes no group of strangers; one of two is enough."""
    roster = Roster(1, ("zone", "rack"))
    roster.seat(0, tuple(instance(str(i), **({"rack": "7"} if i < 4 else {})) for i in range(9)))
    assert roster.grouped().labels == ({"zone": "", "rack": "7"},)


def test_who_leaves_makes_room_and_the_others_keep_their_order():
    """After keep() places count the kept ones only, and a former one that returns is new."""
    roster = Roster(1)
    roster.seat(0, (instance("a"), instance("b"), instance("c")))
    roster.keep(np.array([0, 2]))
    assert [one["instance"] for one in roster.labels] == ["a", "c"]
    assert roster.seat(0, (instance("c"), instance("b"))).tolist() == [1, 2]


def test_whose_metric_a_series_is_is_known_anew_when_some_come_or_leave():
    """What is worked out once does not outlive the series it is about."""
    roster = Roster(2)
    roster.seat(0, (instance("a"), instance("b")))
    assert roster.metric_of.tolist() == [0, 0]
    roster.seat(1, (instance("a"),))
    assert roster.metric_of.tolist() == [0, 0, 1]
    roster.keep(np.array([2, 0]))
    assert roster.metric_of.tolist() == [1, 0]
    assert [members.labels for members in roster.members()] == [(instance("a"),), (instance("a"),)]


def test_pods_of_one_deployment_have_a_number_in_common():
    """By metric, and after others have left, and in a copy of what was kept."""
    pods = tuple({"pod": name} for name in ("web-7d9f8c6b5-x2x4k", "web-64bd9c8c4f-9kq2v", "db-0", "api-64bd9c8c4f-9kq2v"))
    roster = Roster(2)
    roster.seat(0, pods)
    roster.seat(1, pods[:1])
    assert roster.kinds().kind.tolist() == [0, 0, -1, 1, 2]
    roster.keep(np.array([1, 3, 4]))
    assert roster.kinds().kind.tolist() == [0, 1, 2]
    assert copy.copy(roster).kinds().kind.tolist() == [0, 1, 2]


def test_all_kinds_of_one_deployment_have_a_number_in_common():
    pods = [
        {"pod": pod, "namespace": "shop", "path": path} for pod in ("web-7d9f8c6b5-x2x4k", "web-64bd9c8c4f-9kq2v") for path in "ab"
    ]
    roster = Roster(1)
    roster.seat(0, (*pods, {**pods[0], "namespace": "test"}))
    assert roster.kinds().kind.tolist() == [0, 1, 0, 1, 2]
    assert roster.kinds().family.tolist() == [0, 0, 0, 0, 1]


def test_a_namespace_by_any_name_is_another_deployment():
    told = [
        {"exported_pod": "web-7d9f8c6b5-x2x4k", "namespace": "monitoring", "exported_namespace": where}
        for where in ("shop", "test")
    ]
    roster = Roster(1)
    roster.seat(0, tuple(told))
    assert roster.kinds().family.tolist() == [0, 1]


def test_series_of_one_pod_have_a_number_in_common():
    """Of each kind and metric."""
    pods = tuple({"pod": pod, "id": mark * 64} for pod, mark in (("web-7d9f8c6b5-x2x4k", "a"), ("web-7d9f8c6b5-x2x4k", "b")))
    roster = Roster(2)
    roster.seat(0, (*pods, {"pod": "web-64bd9c8c4f-9kq2v"}, {"pod": "db-0"}))
    roster.seat(1, pods[:1])
    assert roster.kinds().pod.tolist() == [0, 0, 1, -1, 2]


def test_what_one_pod_says_of_several_things_is_of_no_kind():
    """A label that is left out since pods differ in it is about something else: nodes seen by one exporter, hosts of an ingress."""
    pods = tuple({"pod": "ingress-7d9f8c6b5-x2x4k", "host": host} for host in "ab")
    roster = Roster(1)
    roster.seat(0, (*pods, {"pod": "ingress-64bd9c8c4f-9kq2v", "host": "a"}))
    assert roster.kinds().kind.tolist() == [-1, -1, -1]
    assert roster.kinds().pod.tolist() == [-1, -1, -1]
