"""compose.yml and the configurations it mounts, each in the hands of the program that reads it; no container is started."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from lens_exporter import cli
from lens_exporter.demo.servers import find
from lens_exporter.wiring.configuration import load
from tests.servers.deploy import ROOT
from tests.servers.missing import skip_or_fail

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
FOLDER = ROOT / "deploy/compose"


def binds(service: str) -> dict[str, Path]:
    """Give what lies behind each path of a container that is a file or folder of the repository."""
    found = {}
    for volume in SERVICES[service]["volumes"]:
        source, target, *_ = volume.split(":")
        if source.startswith("."):
            found[target] = ROOT / source
    return found


def accepts(name: str, *arguments: object) -> str:
    with skip_or_fail():
        program = find(name)
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_pinned_and_hardened(service):
    """Each image has a version; no root file system can be written, no capability is kept, and ports are this machine's own."""
    settings = SERVICES[service]
    _, _, tag = settings["image"].partition(":")
    assert any(character.isdigit() for character in tag)
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in settings["ports"])
    assert not {"privileged", "network_mode", "pid"} & settings.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists(service):
    """Every file and folder of the repository that a container sees is there, and read-only."""
    assert all(path.exists() for path in binds(service).values())
    for volume in SERVICES[service]["volumes"]:
        source, *_ = volume.split(":")
        assert volume.endswith(":ro") if source.startswith(".") else source in COMPOSE["volumes"]


def test_lens_exporter_takes_its_command_and_configuration():
    """The flags exist, the file is the mounted one, and it loads; the servers it names are services, on the ports they have."""
    name, *arguments = SERVICES["lens-exporter"]["command"]
    with click.Context(cli.main.commands[name]) as context:
        context.command.parse_args(context, list(arguments))
        mounted = binds("lens-exporter")[str(context.params["config_file"])]
    config = load(mounted)
    assert config.grafana is not None
    assert config.grafana.basic_auth is not None
    (secret,) = SERVICES["lens-exporter"]["secrets"]
    assert str(config.grafana.basic_auth.password_file) == f"/run/secrets/{secret}"
    named = [config.prometheus.url, *config.alertmanager.urls, config.grafana.url]
    ports = {name: service["ports"][0].rsplit(":", 1)[1] for name, service in SERVICES.items()}
    assert {f"http://{name}:{ports[name]}" for name in ("prometheus", "alertmanager", "grafana")} == set(named)


def test_prometheus_takes_its_configuration(tmp_path):
    """With the rules it mounts; it scrapes the services on the ports they have."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    (rules,) = config["rule_files"]
    mount = binds("prometheus")[str(Path(rules).parent)]
    assert (mount / Path(rules).name).exists()
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**config, "rule_files": [str(mount / Path(rules).name)]}), "utf-8")
    assert "SUCCESS: 1 rule files found" in accepts("promtool", "check", "config", tmp_path / "prometheus.yml")
    scraped = {target for job in config["scrape_configs"] for each in job["static_configs"] for target in each["targets"]}
    assert {"lens-exporter:10077", "alertmanager:9093"} < scraped


def test_alertmanager_takes_its_configuration():
    """And it brings alerts to lens-exporter."""
    accepts("amtool", "check-config", FOLDER / "alertmanager.yml")
    route = accepts("amtool", "config", "routes", "test", f"--config.file={FOLDER}/alertmanager.yml", "severity=warning")
    assert route.strip() == "lens-exporter"


def test_grafana_is_provisioned():
    """Data sources are services, dashboards come from the mounted folder, and the password from the secret lens-exporter reads."""
    provisioning = FOLDER / "grafana/provisioning"
    assert binds("grafana")["/etc/grafana/provisioning"] == provisioning
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    assert {source["type"]: urlsplit(source["url"]).hostname for source in sources} == {
        "prometheus": "prometheus",
        "alertmanager": "alertmanager",
    }
    (provider,) = yaml.safe_load((provisioning / "dashboards/lens-exporter.yml").read_text("utf-8"))["providers"]
    assert provider["options"]["path"] in binds("grafana")
    (secret,) = SERVICES["grafana"]["secrets"]
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{secret}"
    assert secret in SERVICES["lens-exporter"]["secrets"]


def test_the_password_stays_out_of_the_repository():
    """The file that holds it is ignored, and not there."""
    (path,) = (secret["file"] for secret in COMPOSE["secrets"].values())
    ignored = subprocess.run(["git", "check-ignore", "--no-index", "-q", path], cwd=ROOT, check=False)
    assert ignored.returncode == 0
