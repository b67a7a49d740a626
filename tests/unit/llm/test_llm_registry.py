import subprocess
import sys
from collections.abc import Iterator

import pytest

from lens_exporter.config.settings import Llm, LlmClient, LlmOptions
from lens_exporter.errors import ConfigError, ModelUnavailable, UnknownClient
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.retry import retrying
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.registry import ClientRegistry
from lens_exporter.model.conversation import Reply

LOCAL = LlmOptions(model="llama3", base_url="http://127.0.0.1:1/v1")


class Analyst:
    name = "offline"

    def ask(self, _system, _trail, _tools, *, role, critical=False) -> Reply:
        return Reply((), text=f"{role} {critical}")


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    yield database
    database.close()


def registry(database: Database, settings: Llm, telemetry: Telemetry | None = None) -> ClientRegistry:
    telemetry = telemetry or Telemetry()
    return ClientRegistry(
        settings, read_secret=lambda _options: "", database=database, telemetry=telemetry, events=Events(database, telemetry)
    )


def test_default_is_the_offline_analyst(database):
    """With nothing configured the registered analyst investigates and reviews."""
    clients = registry(database, Llm())
    clients.register("offline", Analyst())
    assert clients.names == ("offline",)
    assert clients.primary is clients.reviewer is clients.get("offline")


def test_names(database):
    """Clients are found by their names; a client configured as offline is the analyst under that name too."""
    llm = Llm(
        primary="llama",
        reviewer="robot",
        clients=(
            LlmClient.model_validate(
                {"name": "llama", "provider": "openai-generic", "options": LOCAL.model_dump(exclude_unset=True)}
            ),
            LlmClient(name="robot", provider="offline"),
        ),
    )
    clients = registry(database, llm)
    clients.register("offline", Analyst())
    assert clients.names == ("llama", "offline", "robot")
    assert clients.primary.name == "llama"
    assert clients.reviewer is clients.get("offline")


def test_unknown_name(database):
    """A name nobody has is refused, with the known ones."""
    with pytest.raises(UnknownClient, match=r"there is no model client 'gpt'"):
        registry(database, Llm()).get("gpt")


def test_bad_pattern(database):
    """A redaction pattern that is none stops the start."""
    with pytest.raises(ConfigError):
        registry(database, Llm.model_construct(primary="offline", reviewer=None, clients=(), budget=Llm().budget, redact=("(",)))


def test_breakers_are_visible_from_the_start(database):
    """Each client's breaker is a series before its first call."""
    telemetry = Telemetry()
    registry(database, Llm(primary="llama", clients=(LlmClient(name="llama", provider="openai", options=LOCAL),)), telemetry)
    assert telemetry.value("lens_breaker_state", client="llama") == 0


def test_nothing_heavy_is_imported():
    """Importing the registry, the prompts and the offline path's contract loads no SDK and no pydantic-ai."""
    code = "import sys, lens_exporter.llm.registry, lens_exporter.llm.prompts, lens_exporter.llm.client; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pydantic_ai", "anthropic", "openai", "httpx2", "genai_prices", "alembic", "dbos", "numpy"}
    assert heavy & set(ran.stdout.split()) == set()


def test_retry_ends_with_its_time():
    """No attempt begins after the total, however many are left."""
    tried: list[int] = []

    def fail() -> None:
        tried.append(1)
        raise ModelUnavailable(client="c", reason="x")

    with pytest.raises(ModelUnavailable):
        retrying(fail, attempts=5, first_wait=2.0, total=1.0, sleep=lambda _seconds: None, jitter=lambda: 0.0)
    assert len(tried) == 1
