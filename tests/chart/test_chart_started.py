"""The pod's own command, with the pod's own files, as a process on this machine."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lens_exporter.demo.servers import LocalServer
from lens_exporter.errors import ServerNotReady
from tests.servers.helm_chart import CHART, Rendered, render
from tests.servers.lens_process import Samples

pytestmark = pytest.mark.integration

TOKENS = [
    {"name": "alertmanager", "existingSecret": "lens-web", "key": "webhook", "scopes": ["webhook"]},
    {"name": "prometheus", "existingSecret": "lens-web", "key": "scrape", "scopes": ["read"]},
]
ALERT = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-20T14:02:00Z", "endsAt": "0001-01-01T00:00:00Z"}
GROUP = {"version": "4", "groupKey": "g", "status": "firing", "receiver": "lens", "alerts": [ALERT]}


class Pod(LocalServer):
    """The container of a rendered Deployment: its volumes are folders below `folder`, and it listens on every address as there.

    own is what lies in a ConfigMap that is not the chart's.
    """

    def __init__(self, rendered: Rendered, folder: Path, own: Mapping[str, str] | None = None) -> None:
        volumes = {volume["name"]: volume for volume in rendered.pod["volumes"]}
        texts = rendered.one("ConfigMap")["data"] if own is None else own
        for mount in rendered.container["volumeMounts"]:
            here = Path(f"{folder}{mount['mountPath']}")
            here.mkdir(parents=True)
            volume = volumes[mount["name"]]
            for name, text in texts.items() if "configMap" in volume else ():
                (here / name).write_text(
                    text.replace("/etc/", f"{folder}/etc/").replace("sqlite:////", f"sqlite:///{folder}/"), "utf-8"
                )
            for item in volume.get("secret", {}).get("items", ()):
                (here / item["path"]).write_text(f"token-of-{item['key']}-0123456789", "utf-8")
        arguments = [each.replace("=/etc/", f"={folder}/etc/") for each in rendered.container["args"]]
        super().__init__("pod", [sys.executable, "-m", "lens_exporter.cli", *arguments], folder=folder, ready="/-/healthy")

    def _address(self) -> str:
        return f":{self.port}"

    def answer(self, path: str, key: str | None = None, **options: Any) -> int:
        """Ask with the token of a Secret's key; give the status."""
        headers = {"Authorization": f"Bearer token-of-{key}-0123456789"} if key else {}
        with self._session() as session:
            return session.request(
                "POST" if options else "GET", self.url + path, headers=headers, timeout=10, **options
            ).status_code


def test_tokens_of_secrets_let_in_whom_they_name(tmp_path):
    """Prometheus with the monitor's token, Alertmanager with that of the notes, each no further; probes without any."""
    rendered = render({"web": {"tokens": TOKENS}, "serviceMonitor": {"enabled": True}, "log": {"format": "logfmt"}})
    (endpoint,) = rendered.one("ServiceMonitor")["spec"]["endpoints"]
    scrape = endpoint["authorization"]["credentials"]["key"]
    assert "credentials_file: /etc/alertmanager/secrets/lens-web/webhook" in rendered.notes
    with Pod(rendered, tmp_path).start() as pod:
        probes = [rendered.container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe")]
        assert [pod.answer(path) for path in probes] == [200, 200]
        assert (pod.answer("/metrics"), pod.answer("/metrics", scrape), pod.answer("/metrics", "webhook")) == (401, 200, 403)
        assert (pod.answer("/webhook", scrape, json=GROUP), pod.answer("/webhook", "webhook", json=GROUP)) == (403, 200)
    assert (tmp_path / "var/lib/lens-exporter/lens.db").exists()


def test_by_word_nobody_is_asked(tmp_path):
    """With web.allowUnauthenticated it starts, listens to the cluster and asks nobody: who connects is the network policy's matter."""
    rendered = render({"web": {"allowUnauthenticated": True}})
    assert rendered.all("NetworkPolicy")
    with Pod(rendered, tmp_path).start() as pod:
        assert pod.answer("/metrics") == 200
        with pod._session() as session:
            page = Samples(session.get(f"{pod.url}/metrics", timeout=10).text)
    assert page.value("lens_up", lens="python") == 1


def test_a_configuration_of_ones_own_lets_nobody_in_unasked(tmp_path):
    """What it does not say the chart does not say for it: the program itself refuses to start."""
    rendered = render(CHART / "ci/existing-configmap-values.yaml")
    pod = Pod(rendered, tmp_path, {"lens.yml": "prometheus: {url: http://127.0.0.1:9}\n"})
    with pytest.raises(ServerNotReady, match="nobody would be asked who they are"):
        pod.start()
