"""Which series are of one kind: of pods that one Deployment makes, and replaces with each release."""

import re

from lens_exporter.model.labels import Labels

Kind = tuple[tuple[str, str], ...]  # labels that all of a kind have

# The first that a series has names the pod that it is about; others are those of who tells about it.
_PODS = ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name")
# What names one pod and nothing else, where it runs, or is another with each release.
_ITS_OWN = {
    *_PODS,
    *("instance", "exported_instance", "node", "nodename", "host", "hostname", "pod_ip", "host_ip", "uid", "pod_uid", "pid"),
    *("id", "container_id", "image", "image_id", "service_instance_id", "created_by_name", "helm_sh_chart"),
}
_OF_A_RELEASE = re.compile(r"(^|_)version$|(template|revision)_hash$")
# What Kubernetes makes up has no vowels, and no digits that look like one (apimachinery, util/rand); of digits alone it is a time.
_MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]"
_OF_A_DEPLOYMENT = re.compile(rf"(?P<deployment>.+)-(?=[0-9]*[a-z]){_MADE_UP}{{6,10}}-{_MADE_UP}{{5}}")


def kind_of(labels: Labels) -> Kind | None:
    """Give the kind of a series: its labels without what tells one pod from another; None where it is of no Deployment's pod.

    "web-7d9f8c6b5-x2x4k" and "web-64bd9c8c4f-9kq2v" are of one kind. Machines are of none, nor is what runs once on each: what two
    of one job have in common, a database and a proxy, their names do not tell. Where pods are counted their names stay.
    """
    found = _OF_A_DEPLOYMENT.fullmatch(next((labels[name] for name in _PODS if labels.get(name)), ""))
    if found is None:
        return None
    common = [pair for pair in labels.items() if pair[0] not in _ITS_OWN and not _OF_A_RELEASE.search(pair[0])]
    return (("pod", found["deployment"]), *sorted(common))
