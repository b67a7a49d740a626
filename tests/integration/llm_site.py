"""A registry with one client against a scripted server, for the tests of the model clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lens_exporter.config.settings import Budget, Llm, LlmClient, LlmOptions
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.client import ModelClient
from lens_exporter.llm.registry import ClientRegistry
from lens_exporter.model.conversation import Instruction, Reply, ToolSpec, Trail
from tests.servers.model_server import ModelServer, Script

KEY = "sk-ant-api03-this-is-the-key-0123456789"
TOOLS = (
    ToolSpec("get_memory", "Memory now.", {"type": "object", "properties": {"pid": {"type": "integer"}}}),
    ToolSpec("submit_analysis", "The final answer.", {"type": "object", "properties": {"summary": {"type": "string"}}}),
)
TASK: Trail = (Instruction("Why does memory grow?"),)


@dataclass
class Site:
    server: ModelServer
    client: ModelClient
    registry: ClientRegistry
    telemetry: Telemetry
    events: Events
    database: Database
    waits: list[float]  # pauses the retry asked for; none was really slept
    now: float = 1_000_000.0

    def ask(
        self, trail: Trail = TASK, *, system: str = "You investigate.", tools: tuple[ToolSpec, ...] = TOOLS, **more: Any
    ) -> Reply:
        return self.client.ask(system, trail, tools, **{"role": "investigator", **more})

    def metric(self, name: str, **labels: str) -> float:
        return self.telemetry.value(name, client="claude", role="investigator", **labels) or 0.0


@contextmanager
def site(
    script: Script,
    folder: Path,
    *,
    provider: str = "anthropic",
    budget: Budget | None = None,
    read_secret: Callable[[LlmOptions], str] = lambda _options: KEY,
    **options: Any,
) -> Iterator[Site]:
    database = Database(f"sqlite:///{folder / 'lens.db'}")
    metadata.create_all(database.engine)
    telemetry = Telemetry()
    events = Events(database, telemetry)
    with ModelServer(script) as server:
        base_url = server.url + ("/v1" if provider == "openai" else "")
        settings = LlmOptions(**{"model": "claude-haiku-4-5", "base_url": base_url, "timeout": 20.0, **options})
        llm = Llm(
            primary="claude",
            clients=(LlmClient(name="claude", provider=provider, options=settings),),
            budget=budget or Budget(),
            redact=(r"internal-[a-z]+\.corp",),
        )
        made: list[Site] = []
        waits: list[float] = []
        registry = ClientRegistry(
            llm,
            read_secret=read_secret,
            database=database,
            telemetry=telemetry,
            events=events,
            clock=lambda: made[0].now if made else 1_000_000.0,
            sleep=waits.append,
        )
        made.append(Site(server, registry.primary, registry, telemetry, events, database, waits))
        try:
            yield made[0]
        finally:
            registry.close()
            database.close()
