"""What the chart makes of values, by Helm's own engine."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.docs.blocks import to_run
from tests.servers.helm_chart import CASES, CHART, GUARDED, Rendered, engine, refusal, render, schemas

VERSIONS = ("1.29", "1.33", "1.37")
CUSTOM = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute"}
FULL = CHART / "ci/full-values.yaml"
OPEN = {"networkPolicy": {"enabled": False}, "web": {"allowUnauthenticated": True}}
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
PROMETHEUS = {**MONITORING, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}
INGRESS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
ALERTMANAGER = {**MONITORING, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}}}

each_case = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)


def mounts(rendered: Rendered) -> dict[str, dict[str, Any]]:
    """Give each mounted volume by its path."""
    volumes = {volume["name"]: volume for volume in rendered.pod["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in rendered.container["volumeMounts"]}


def outward(rendered: Rendered) -> Iterator[tuple[Any, int]]:
    """Give each peer and port that the policy lets out."""
    for rule in rendered.one("NetworkPolicy")["spec"]["egress"]:
        yield from ((peer, port["port"]) for peer in rule["to"] for port in rule["ports"])


@each_case
def test_helm_lints_it_strictly(case):
    """Nothing but the advice to have an icon."""
    report = engine().chart.lint(CHART, yaml.safe_load(case.read_text("utf-8")), strict=True)
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@each_case
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_would_take_it(case, version):
    """Every built-in kind of every case fits the schema of that Kubernetes, with no field it does not know."""
    validate = schemas()
    objects = [each for each in render(case).objects if each["kind"] not in CUSTOM]
    assert len(objects) >= 3
    for each in objects:
        validate.validate(each, version, strict=True)


@each_case
def test_objects_have_names_of_their_own(case):
    """No two objects of a release are the same one, each has a namespace, and what selects pods selects ours."""
    rendered = render(case)
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered.objects]
    assert len(set(names)) == len(names)
    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PodMonitor"):
        for each in rendered.all(kind):
            spec = each["spec"]
            selector = spec.get("podSelector") or spec["selector"]
            assert selector.get("matchLabels", selector).items() <= labels.items()


@each_case
def test_the_pod_is_restricted(case):
    """In no case of ci/ has a container what the Pod Security Standard `restricted` forbids; ours has a read-only root, and no token."""
    rendered = render(case)
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(rendered.pod)
    for container in (*rendered.pod.get("initContainers", ()), *rendered.pod["containers"]):
        secured = container["securityContext"]
        assert secured["allowPrivilegeEscalation"] is False
        assert secured["capabilities"] == {"drop": ["ALL"]}
        assert secured.keys() <= {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem", "runAsNonRoot"}
        assert secured.get("runAsNonRoot", True) is True
        assert not [port for port in container.get("ports", ()) if "hostPort" in port]
    for volume in rendered.pod["volumes"]:
        assert (volume.keys() - {"name"}) <= {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    pod, own = rendered.pod, rendered.container["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10077
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] is True
    for account in rendered.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@each_case
def test_only_volumes_may_be_written(case):
    """The database and /tmp; the configuration and the credentials are read-only, and of credentials only the pod's group reads."""
    rendered = render(case)
    writable = {mount["mountPath"] for mount in rendered.container["volumeMounts"] if not mount.get("readOnly")}
    assert writable - {"/zones"} == {"/var/lib/lens-exporter", "/tmp"}
    for volume in rendered.pod["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440


@each_case
def test_one_process_at_a_time(case):
    """One replica, replaced and never doubled."""
    spec = render(case).one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_values_that_the_documentation_shows_are_rendered():
    """Each block that is a values.yaml gives a Deployment that one could install."""
    shown = [block for block in to_run("yaml") if block.file == "values.yaml"]
    assert shown
    for block in shown:
        assert render({**GUARDED, **yaml.safe_load(block.text)}).one("Deployment"), str(block)


def test_several_replicas_are_refused_with_the_reason():
    """Not by a number that does not fit, but by what it would take."""
    assert "Several replicas, which share a PostgreSQL database, come with a later version" in refusal({"replicaCount": 2})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 1}, "replicas"),
        ({"replicaCount": "1"}, "replicaCount"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"image": {"repository": "a:b"}}, "repository"),
        ({"web": {"tokens": [{"name": "a", "existingSecret": "b", "key": "c", "scopes": ["write"]}]}}, "scopes"),
        ({"web": {"password": "secret"}}, "password"),
        ({"secrets": {"grafana": {"token": "glsa_1"}}}, "token"),
        ({"secrets": {"Grafana": {"existingSecret": "a"}}}, "Grafana"),
        ({"service": {"port": 70000}}, "port"),
        ({"log": {"level": "trace"}}, "level"),
        ({"persistence": {"size": "lots"}}, "size"),
        ({"prometheusRule": {"rules": ["windows"]}}, "rules"),
        ({"serviceMonitor": {"interval": "often"}}, "interval"),
        ({"networkPolicy": {"ingress": {"from": [{}]}}}, "from"),
        ({"networkPolicy": {"egress": {"smtp": {"to": []}}}}, "smtp"),
        ({"ingress": {"hosts": ["lens.example.org"]}}, "hosts"),
        ({"extraArgs": ["run"]}, "extraArgs"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "maxUnavailable"),
    ],
)
def test_the_schema_refuses(values, said):
    """What is misspelt, of a wrong type, or a credential where a Secret's name belongs; the message names the key."""
    message = refusal(values)
    assert "values don't meet the specifications of the schema" in message
    assert said in message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"config": {"grafana": {"url": "http://g.g.svc", "token_file": "/etc/lens-exporter/secrets/grafana/token"}}},
            "secrets.grafana",
        ),
        (
            {
                "config": {"prometheus": {"url": "https://prometheus.example.org"}},
                "networkPolicy": {"ingress": {"from": [INGRESS]}},
            },
            "networkPolicy.egress.prometheus.to",
        ),
        ({"config": {"lenses": {"beam": [{"nodes": ["a@b"]}]}}}, "networkPolicy.egress.beam.to"),
        ({"config": {"watchers": [{"beam": {"schedule": "* * * * *", "nodes": ["a@b"]}}]}}, "networkPolicy.egress.beam.to"),
        ({"config": {"web": {"telemetry_path": "/m"}}}, "give web.telemetryPath instead"),
        ({"config": {"web": {"listen_address": ":1"}}}, "give containerPort instead"),
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "every series would be there twice"),
        ({"ingress": {"enabled": True}, **OPEN}, "ingress.hosts names no host"),
        ({"httpRoute": {"enabled": True}, **OPEN}, "httpRoute.parentRefs names no gateway"),
        ({"config": {"prometheus": {"url": "http://192.0.2.1:9090"}}}, "networkPolicy.ingress.prometheus.from"),
        ({"config": {"prometheus": {"url": "http://[2001:db8::1]:9090"}}}, "networkPolicy.ingress.prometheus.from"),
        ({"config": {"alertmanager": {"urls": ["http://192.0.2.1:9093"]}}}, "networkPolicy.ingress.alertmanager.from"),
        ({"config": {"alertmanager": {"urls": ["http://a.b.svc", "http://192.0.2.1"]}}}, "networkPolicy.ingress.alertmanager.from"),
        ({"web": {**GUARDED["web"], "scheme": "https"}}, "web.configFile.existingSecret"),
        ({"config": {"database_url": "postgres://lens@db/lens"}}, "lens-exporter takes sqlite:// and postgresql://"),
        (
            {
                "existingConfigMap": "mine",
                "networkPolicy": {"ingress": {"from": [INGRESS]}, "egress": {"model": {"to": [INGRESS]}}},
            },
            "networkPolicy.egress.model.ports",
        ),
        ({"existingConfigMap": "mine"}, "networkPolicy.ingress.prometheus.from"),
        ({"ingress": {"enabled": True, "hosts": [{"host": "a.b"}]}}, "networkPolicy.ingress.extraFrom"),
        ({"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}, "networkPolicy.ingress.extraFrom"),
    ],
)
def test_what_would_not_work_is_refused(values, said):
    """Where the values together would be open, blocked or dangling, Helm says which value is missing."""
    assert said in refusal({**GUARDED, **values})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"networkPolicy": {"enabled": False}},
        {"networkPolicy": {"ingress": {"extraFrom": [INGRESS]}}},
        {"service": {"type": "NodePort"}},
        {"service": {"type": "LoadBalancer"}},
        {"ingress": {"enabled": True, "hosts": [{"host": "a.b"}]}, "networkPolicy": {"ingress": {"extraFrom": [INGRESS]}}},
        {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}, "networkPolicy": {"ingress": {"extraFrom": [INGRESS]}}},
    ],
)
def test_nobody_gets_in_unasked_but_by_word(values):
    """Whoever else can reach it: without tokens and a web config file it is rendered only where that is said, and only then with the flag."""
    assert "nobody would be asked who they are" in refusal(values)
    meant = render({**values, "web": {"allowUnauthenticated": True}})
    assert "--web.allow-unauthenticated" in meant.container["args"]
    assert "Nobody is asked who they are" in meant.notes
    for web in (GUARDED["web"], {"configFile": {"existingSecret": "a"}}):
        asked = render({**values, "web": web})
        assert "--web.allow-unauthenticated" not in asked.container["args"]
        assert "Nobody is asked" not in asked.notes


def test_the_refusal_shows_values_that_are_taken():
    """The values in the message are those of ci/default-values.yaml, and the command makes the Secret with the keys that they name."""
    message = refusal({})
    shown = message[message.index("  web:\n") : message.index("Or give")]
    assert yaml.safe_load(shown) == GUARDED
    (made,) = (line.split() for line in message.splitlines() if "kubectl" in line)
    assert made[made.index("-n") + 1] == "watching"
    for token in GUARDED["web"]["tokens"]:
        assert token["existingSecret"] in made
        assert any(word.startswith(f"--from-literal={token['key']}=") for word in made)


def test_a_configuration_of_ones_own_is_not_overruled():
    """With existingConfigMap the flag is never passed, and asking for it is refused: the ConfigMap says it, or the program refuses."""
    values = yaml.safe_load((CHART / "ci/existing-configmap-values.yaml").read_text("utf-8"))
    assert "--web.allow-unauthenticated" not in render(values).container["args"]
    assert "lens-config is your own" in refusal({**values, "web": {"allowUnauthenticated": True}})


def test_credentials_are_files_of_existing_secrets():
    """Each has its folder; none stands in the environment or in any object of the chart."""
    rendered = render(FULL)
    mounted = mounts(rendered)
    assert rendered.all("Secret") == []
    assert mounted["/etc/lens-exporter/secrets/grafana"]["secret"]["secretName"] == "lens-grafana"
    assert mounted["/etc/lens-exporter/secrets/thanos"]["secret"]["items"] == [{"key": "jwt", "path": "token"}]
    assert mounted["/etc/lens-exporter/tokens/alertmanager"]["secret"] == {
        "secretName": "lens-web",
        "defaultMode": 0o440,
        "items": [{"key": "webhook", "path": "webhook"}],
    }
    assert [each["name"] for each in rendered.container["env"]] == ["MALLOC_ARENA_MAX"]


def test_a_changed_configuration_restarts_the_pod():
    """The pod's checksum follows the configuration, and nothing else."""

    def checksum(values: dict[str, Any]) -> str:
        return render({**GUARDED, **values}).one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    before = checksum({})
    assert checksum({"config": {"origin": "other"}}) != before
    assert checksum({"log": {"level": "debug"}}) == before


def test_a_digest_wins_over_a_tag():
    """And without either the image has the chart's appVersion."""
    digest = "sha256:" + "0" * 64

    def image(**given: str) -> str:
        return render({**GUARDED, "image": given}).container["image"]

    assert image() == "lens-exporter:0.1.0"
    assert image(registry="r.example.org:5000/a", repository="lens", tag="1.2") == "r.example.org:5000/a/lens:1.2"
    assert image(tag="1.2", digest=digest) == f"lens-exporter@{digest}"


def test_the_policy_lets_in_who_scrapes_and_who_brings_alerts():
    """Prometheus and Alertmanager in the namespaces that the configuration names, on the one port, and nobody else."""
    (rule,) = render(GUARDED).one("NetworkPolicy")["spec"]["ingress"]
    assert rule == {"from": [PROMETHEUS, ALERTMANAGER], "ports": [{"port": "http", "protocol": "TCP"}]}


def test_who_calls_need_not_be_who_is_asked():
    """Thanos is asked and Prometheus scrapes; Alertmanager is told by its address and calls from another: each has peers of its own."""
    alertmanager = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    policy = {
        "ingress": {"prometheus": {"from": [PROMETHEUS]}, "alertmanager": {"from": [alertmanager]}},
        "egress": {"prometheus": {"podLabels": {"app.kubernetes.io/name": "thanos-query"}, "ports": [10902]}},
    }
    config = {"prometheus": {"url": "http://thanos-query.thanos.svc"}, "alertmanager": {"urls": ["http://192.0.2.7:9093"]}}
    rendered = render({**GUARDED, "config": config, "networkPolicy": policy})
    (rule,) = rendered.one("NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == [PROMETHEUS, alertmanager]
    thanos = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "thanos"}}}
    assert list(outward(rendered))[2:] == [
        ({**thanos, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "thanos-query"}}}, 10902),
        ({"ipBlock": {"cidr": "192.0.2.7/32"}}, 9093),
    ]


def test_the_policy_lets_out_to_what_is_configured():
    """With nothing but Prometheus and Alertmanager configured: those, and names."""
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    assert list(outward(render(GUARDED))) == [(dns, 53), (dns, 53), (PROMETHEUS, 9090), (ALERTMANAGER, 9093)]


def test_names_may_be_looked_up_elsewhere():
    """The documented values for OpenShift and NodeLocal DNSCache replace CoreDNS' pods and port; nothing of the default is left beside."""
    shown = [yaml.safe_load(block.text) for block in to_run("yaml") if block.file == "values.yaml" and "dns:" in block.text]
    rules = [render({**GUARDED, **values}).one("NetworkPolicy")["spec"]["egress"][0] for values in shown]
    openshift, cached = rules
    assert openshift["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}]
    assert [(each["port"], each["protocol"]) for each in openshift["ports"]] == [(5353, "UDP"), (5353, "TCP")]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in cached["to"]
    assert [(each["port"], each["protocol"]) for each in cached["ports"]] == [(53, "UDP"), (53, "TCP")]


def test_the_policy_follows_the_configuration():
    """Grafana, another history, collector, models inside and outside, nodes and what is added: each on its own ports."""
    ports: dict[str, set[int]] = {}
    for peer, port in outward(render(FULL)):
        namespace = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
        ports.setdefault(namespace or peer["ipBlock"]["cidr"], set()).add(port)
    assert ports == {
        "kube-system": {53},
        "monitoring": {9090, 9093},
        "thanos": {10902},
        "grafana": {3000},
        "0.0.0.0/0": {443},
        "::/0": {443},
        "models": {11434},
        "tracing": {4318},
        "shop": {4369, 9100},
        "192.0.2.8/32": {8125},
    }


def test_the_port_of_one_address_opens_no_other():
    """Two data sources on ports of their own: one rule for each, and one rule for what several addresses have in common."""
    config = {
        "prometheus": {"url": "http://prometheus.monitoring.svc"},
        "alertmanager": {"urls": [f"http://alertmanager-{n}.alertmanager.monitoring.svc:9093" for n in range(3)]},
        "datasources": {"a": {"url": "http://thanos.one.svc:10902"}, "b": {"url": "http://192.0.2.4:8080"}},
    }
    rendered = render({**GUARDED, "config": config})
    one = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "one"}}, "podSelector": {}}
    assert list(outward(rendered))[2:] == [
        (PROMETHEUS, 9090),
        (one, 10902),
        ({"ipBlock": {"cidr": "192.0.2.4/32"}}, 8080),
        (ALERTMANAGER, 9093),
    ]


def test_a_model_on_the_internet_opens_no_private_network():
    """Neither the cluster's own addresses nor the cloud's metadata service."""
    values = {**GUARDED, "config": {"llm": {"primary": "a", "clients": [{"name": "a", "provider": "anthropic"}]}}}
    blocks = [peer["ipBlock"] for peer, port in outward(render(values)) if "ipBlock" in peer and port == 443]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(blocks[0]["except"])


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_database_server_may_be_reached(scheme):
    """In the namespace that the address names, and no volume is claimed."""
    rendered = render({**GUARDED, "config": {"database_url": f"{scheme}://lens@db.data.svc/lens"}})
    data = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}, "podSelector": {}}
    assert (data, 5432) in list(outward(rendered))
    assert rendered.all("PersistentVolumeClaim") == []


def test_postgresql_needs_no_volume():
    """The claim is there for SQLite only, and a policy opens the database's port."""
    rendered = render(CHART / "ci/postgresql-values.yaml")
    assert rendered.all("PersistentVolumeClaim") == []
    assert "emptyDir" in mounts(rendered)["/var/lib/lens-exporter"]
    assert ({"ipBlock": {"cidr": "192.0.2.9/32"}}, 5432) in list(outward(rendered))


def test_probes_follow_the_scheme_unless_given():
    """HTTPS where the web config file speaks TLS; a handler of the user's own replaces ours."""
    plain = render(GUARDED).container
    assert plain["startupProbe"]["httpGet"] == plain["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
    assert plain["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "http"}
    secure = render({"web": {"scheme": "https", "configFile": {"existingSecret": "a"}}}).container
    assert secure["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    given = render(CHART / "ci/tls-values.yaml").container
    assert "httpGet" not in given["livenessProbe"]


def test_the_monitor_shows_the_token_that_may_read():
    """And not the one of Alertmanager."""
    (endpoint,) = render(FULL).one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"] == {"credentials": {"name": "lens-web", "key": "scrape"}}
    assert (endpoint["port"], endpoint["path"], endpoint["scheme"]) == ("http", "/metrics", "http")


def test_the_service_reaches_a_pod_that_is_not_ready():
    """Its pages say why it is not, and Alertmanager gets its 503 from the pod itself."""
    assert render(GUARDED).one("Service")["spec"]["publishNotReadyAddresses"] is True


def test_links_lead_to_the_ingress():
    """Without an address of its own the first host is the one that alerts link to."""
    assert "--web.external-url=https://lens.example.org" in render(FULL).container["args"]
    assert "--web.external-url=https://lens.example.org" in render(CHART / "ci/tls-values.yaml").container["args"]
    assert not [each for each in render(GUARDED).container["args"] if "external-url" in each]


def test_dashboards_carry_the_sidecars_label():
    """One ConfigMap for each dashboard of the repository, as it lies there."""
    maps = [each for each in render(FULL).all("ConfigMap") if "grafana_dashboard" in each["metadata"].get("labels", {})]
    files = {path.name: path.read_text("utf-8").strip() for path in (CHART / "files/dashboards").glob("*.json")}
    assert {name: text.strip() for each in maps for name, text in each["data"].items()} == files
    assert all(each["metadata"]["annotations"] == {"grafana_folder": "lens-exporter"} for each in maps)


def test_extra_objects_are_templates():
    """Maps and texts alike may use the release's names."""
    names = {each["metadata"]["name"]: each for each in render(FULL).all("ConfigMap")}
    assert names["lens-lens-exporter-more"]["data"] == {"release": "lens"}
    assert "more-text" in names
