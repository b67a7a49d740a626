"""Settings of the BEAM lens: which Erlang or Elixir nodes, and how they let us in."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lens_exporter.config.values import FilePath, Misfit, Settings, VariableName

_NODE = re.compile(r"[\w.-]{1,200}@[\w.:-]{1,255}")
_PATTERN = re.compile(r"[\w.-]{1,200}@[\w.-]{0,200}(?:\{n\})?[\w.-]{1,200}")
_HOST = re.compile(r"[\w.:-]{1,255}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]i?)?B?", re.ASCII)
MAILBOXES = 20_000  # processes of a node; more are not asked one by one at every scrape, unless configured
_POWERS = {"k": 1, "M": 2, "G": 3, "T": 4}


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise ValueError('expected a node name like "rabbit@host"')
    return value


def _pattern(value: str) -> str:
    if not _PATTERN.fullmatch(value):
        raise ValueError('expected a name like "shop@shop-headless" or "rabbit@rabbitmq-{n}.rabbitmq"')
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError('expected a host like "mq1.example.org"')
    return value


def size(value: object) -> float:
    """Read an amount of memory: a number of bytes, or text like 512MiB, 2GB."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        unit = match[2] or ""
        power = _POWERS.get(unit[:1], 0)
        return float(Decimal(match[1]) * (1024 if unit.endswith("i") else 1000) ** power)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError('expected an amount of memory like "512MiB" or "2GB"')


NodeName = Annotated[str, AfterValidator(_node), Field(title='node name like "rabbit@host"')]
NodePattern = Annotated[str, AfterValidator(_pattern), Field(title='name like "rabbit@rabbitmq-{n}.rabbitmq"')]
HostName = Annotated[str, AfterValidator(_host), Field(title='host like "mq1.example.org"')]
Bytes = Annotated[float, BeforeValidator(size), Field(gt=0, title='amount of memory like "512MiB" or "2GB"')]


class NodeTls(Settings):
    """TLS between nodes (`-proto_dist inet_tls`): how the node's certificate is checked, and ours shown."""

    ca_file: FilePath | None = Field(None, description="certificates trusted instead of the system's")
    cert_file: FilePath | None = Field(None, description="our certificate; nodes usually ask for one")
    key_file: FilePath | None = Field(None, description="its key")
    insecure_skip_verify: bool = Field(False, description="accept any certificate")

    @model_validator(mode="after")
    def _pair(self) -> "NodeTls":
        if (self.cert_file is None) != (self.key_file is None):
            raise Misfit(("cert_file" if self.key_file is None else "key_file",), "cert_file and key_file come together")
        return self


class Beam(Settings):
    """Erlang and Elixir nodes to publish, over Erlang's own distribution: nothing is added to them."""

    nodes: tuple[NodeName, ...] = Field((), title='list of node names like "rabbit@host"', description="nodes by name")
    epmd: tuple[HostName, ...] = Field((), description="hosts: every node that registers with the EPMD there")
    dns: tuple[NodePattern, ...] = Field(
        (),
        description="NAME@HOST: one node NAME@ADDRESS for each address of HOST; with {n} in HOST: one for each number from 0 on "
        "for which HOST has an address, as the pods of a StatefulSet",
    )
    cookie_file: FilePath | None = Field(None, description="the nodes' cookie; read at each connection")
    cookie_env: VariableName | None = Field(None, description="environment variable that holds the cookie")
    epmd_port: int = Field(4369, gt=0, le=65535, description="where EPMD listens")
    tls: NodeTls | None = Field(None, description="where nodes speak TLS among themselves; default: they do not")
    memory_limit: Bytes | None = Field(
        None, description="what each node may hold; default: what is known of RabbitMQ, or of a node on this machine"
    )
    mailboxes: int = Field(MAILBOXES, ge=0, description="most processes of a node whose mailboxes are looked into at a scrape")

    @property
    def named(self) -> bool:
        """Whether it names nodes."""
        return bool(self.nodes or self.epmd or self.dns)

    @model_validator(mode="after")
    def _cookie(self) -> "Beam":
        if self.cookie_file is not None and self.cookie_env is not None:
            raise Misfit(("cookie_env",), "cookie_file is given too; give only one of them")
        if self.named and self.cookie_file is None and self.cookie_env is None:
            raise Misfit((), "nodes let nobody in without their cookie: give cookie_file or cookie_env")
        return self


class Published(Beam):
    """Erlang and Elixir nodes to publish, over Erlang's own distribution: nothing is added to them."""

    @model_validator(mode="after")
    def _some(self) -> "Published":
        if not self.named:
            raise Misfit((), "names no nodes: give nodes, epmd or dns")
        return self


class MetricsSource(StrEnum):
    """Whose metrics a watcher reads."""

    LENS = "lens"  # what this lens publishes
    EXPORTER = "exporter"  # what the nodes' own exporters publish: prometheus.erl, RabbitMQ, PromEx
    ANY = "any"


class BeamWatcher(Beam):
    """Options of a watcher of the lens beam. Nodes it names are published too."""

    source: MetricsSource | None = Field(
        None,
        description="lens: what lens-exporter publishes of nodes; exporter: what prometheus.erl, RabbitMQ or PromEx publish; "
        "any: both; default: lens where nodes are named, else any",
    )
