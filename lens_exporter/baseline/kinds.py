"""Which series are of one kind: of pods that one Deployment makes, and replaces with each release."""

import re
from dataclasses import dataclass

from lens_exporter.model.labels import Labels

Kind = tuple[tuple[str, str], ...]  # labels that all of a kind have

# The first that a series has names the pod that it is about; others are those of who tells about it.
_PODS = ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name")
# Where a pod runs, and what is another with each pod or release.
_ITS_OWN = {
    *_PODS,
    *("instance", "node", "nodename", "host", "hostname", "ip", "pod_ip", "host_ip", "k8s_pod_ip", "k8s_node_name"),
    *("kubernetes_node", "kubernetes_io_hostname", "uid", "pod_uid", "pid", "container_id", "image", "image_id", "revision"),
    *("pod_template_hash", "rollouts_pod_template_hash", "controller_revision_hash", "service_instance_id", "helm_sh_chart"),
}
_BY_START = {"container_id", "pid"}  # another with each start of a container, as any unique value
_VERSION = re.compile(r"(label_)?(app_|service_|app_kubernetes_io_)?version")
_UNIQUE = re.compile(r".*([0-9a-f]{64}|[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}).*")
# What Kubernetes makes up has no vowels, and no digits that look like one (apimachinery, util/rand); of digits alone it is a time.
_MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]"
_OF_A_DEPLOYMENT = re.compile(
    rf"(?P<replicas>(?P<deployment>[a-z0-9][-a-z0-9.]*)-(?=[0-9]*[a-z]){_MADE_UP}{{6,10}})-{_MADE_UP}{{5}}"
)
_MADE_UP_POD = re.compile(rf".*-(?=[0-9]*[a-z]){_MADE_UP}{{5}}")  # of a Deployment, a DaemonSet or a Job; of digits it is a number
_CONTAINER = re.compile(r".*[0-9a-f]{64}.*")  # where it names the container, and not its image
_NAMES_A_CONTAINER = ("id", "name", "container_id")


@dataclass(frozen=True, slots=True)
class Replicas:
    """Pods of one release of a Deployment. name is the one of their ReplicaSet, label where their series have their own names."""

    label: str
    name: str
    deployment: str

    def any_release(self) -> str:
        """Write the matcher that takes the Deployment's pods of any release."""
        deployment = self.deployment.replace(".", "[.]")
        return f'{self.label}=~"{deployment}-{_MADE_UP}{{6,10}}-{_MADE_UP}{{5}}"'

    def is_its_own(self, name: str, value: str) -> bool:
        """Whether a label tells one pod or one release from another."""
        return (
            name in _ITS_OWN or self.name in value or _VERSION.fullmatch(name) is not None or _UNIQUE.fullmatch(value) is not None
        )


def replicas_of(labels: Labels) -> Replicas | None:
    """Name the release of a Deployment that a series' pod is of; None where Kubernetes has not made up its name."""
    label = next((name for name in _PODS if labels.get(name)), "")
    found = _OF_A_DEPLOYMENT.fullmatch(labels[label]) if label else None
    return Replicas(label, found["replicas"], found["deployment"]) if found else None


def pod_of(labels: Labels) -> str:
    """Name the pod that a series is about; "" where there is none."""
    return next((labels[name] for name in _PODS if labels.get(name)), "")


def kind_of(labels: Labels) -> Kind | None:
    """Give the kind of a series: its labels without what tells one pod from another; None where it is of no Deployment's pod.

    "web-7d9f8c6b5-x2x4k" and "web-64bd9c8c4f-9kq2v" are of one kind. Machines are of none, nor is what runs once on each: what two
    of one job have in common, a database and a proxy, their names do not tell. Where pods are counted their names stay.
    """
    found = replicas_of(labels)
    if found is None:
        return None
    common = [pair for pair in labels.items() if not found.is_its_own(*pair)]
    return (("pod", found.deployment), *sorted(common))


def comes_back(labels: Labels) -> bool:
    """Whether a series that is gone may be seen again: not that of a pod or container whose name was made up for it alone."""
    ids = (labels.get(name, "") for name in _NAMES_A_CONTAINER)
    return not (_MADE_UP_POD.fullmatch(pod_of(labels)) or any(map(_CONTAINER.fullmatch, ids)))


def lasting_of(labels: Labels) -> Kind:
    """Give the labels that a pod's series keeps when its container is started again: all but those of that start.

    Series of a pod that differ in these are of several things: nodes that an exporter tells of, hosts of an ingress.
    """
    return tuple(sorted(pair for pair in labels.items() if pair[0] not in _BY_START and not _UNIQUE.fullmatch(pair[1])))


def family_of(kind: Kind) -> Kind:
    """Give what series of all kinds of one Deployment have in common: its name, and where it is by any name of that."""
    return tuple((name, value) for name, value in kind if name == "pod" or "namespace" in name or "cluster" in name)
