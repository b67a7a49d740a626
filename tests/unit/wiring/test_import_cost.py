"""What is imported when: each of these costs start-up time and memory that nobody gets back."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from lens_exporter.foundation.database import Database

MODEL_STACK = {"anthropic", "genai_prices", "openai", "pydantic_ai"}
AFTER_THE_FIRST_PAGE = {*MODEL_STACK, "alembic", "dbos", "mako", "psycopg"}
OF_THE_SERVICE = {*AFTER_THE_FIRST_PAGE, "fastapi", "numpy", "requests", "sqlalchemy", "structlog", "uvicorn"}
CLIENTS = [
    {"name": "claude", "provider": "anthropic", "options": {"model": "claude-haiku-4-5", "base_url": "http://127.0.0.1:9"}},
    {"name": "local", "provider": "openai", "options": {"model": "small", "base_url": "http://127.0.0.1:9/v1"}},
]


def imported(program: str, *arguments: object) -> set[str]:
    """Run a program in an interpreter of its own; give the packages it has imported at its end."""
    end = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    command = [sys.executable, "-c", textwrap.dedent(program) + end, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def config_in(folder: Path, **more: object) -> Path:
    path = folder / "lens.yml"
    watchers = [{"host": "*/1 * * * *"}, {"python": "*/1 * * * *"}]
    settings = {"prometheus": {"url": "http://127.0.0.1:9"}, "database_url": f"sqlite:///{folder}/lens.db", "watchers": watchers}
    path.write_text(json.dumps({**settings, **more}))
    return path


def test_help_and_check_config_import_no_service(tmp_path) -> None:
    """Commands that only read the command line or a file need neither database, HTTP nor arrays."""
    program = """
        import sys
        from lens_exporter.cli import main
        main(sys.argv[1:], standalone_mode=False)
    """
    assert imported(program, "--help") & {*OF_THE_SERVICE, "pydantic", "yaml"} == set()
    assert imported(program, "check-config", config_in(tmp_path)) & OF_THE_SERVICE == set()


def test_the_first_page_imports_only_what_it_needs(tmp_path) -> None:
    """With a current database and model clients configured, all parts are built and the lenses scraped without the rest."""
    program = """
        import sys
        from pathlib import Path
        import lens_exporter.app
        from lens_exporter.config.secrets import Secrets
        from lens_exporter.exposition.scrape import Exposition
        from lens_exporter.foundation.database import Database
        from lens_exporter.foundation.telemetry import Telemetry
        from lens_exporter.investigate.store import Store
        from lens_exporter.wiring.configuration import load
        from lens_exporter.wiring.generation import Generation
        from lens_exporter.wiring.ground import lay

        config = load(Path(sys.argv[1]))
        database = Database(config.database_url)
        database.migrate()
        generation = Generation(config, lay(database, Telemetry(), Secrets()), Store(database))
        page, _ = Exposition([generation.published, generation.bands]).encode("", "")
        for lens in ("host", "python"):
            assert f'lens_up{{lens="{lens}"}} 1.0'.encode() in page
    """
    config = config_in(tmp_path, llm={"primary": "claude", "clients": CLIENTS})
    Database(f"sqlite:///{tmp_path}/lens.db").migrate()
    assert imported(program, config) & AFTER_THE_FIRST_PAGE == set()


def test_an_offline_investigation_imports_no_model_stack(tmp_path) -> None:
    """Without a model configured an investigation runs from alert to finding, and no model library is loaded for it."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "A", "job": "lens"},
        "startsAt": "2026-11-20T14:02:00Z",
        "fingerprint": "1f",
    }
    group = {"version": "4", "groupKey": "test", "status": "firing", "receiver": "lens", "alerts": [alert]}
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps(group))
    program = """
        import sys
        from lens_exporter.cli import main
        main(["investigate", "--file", sys.argv[1], "--config.file", sys.argv[2]], standalone_mode=False)
    """
    assert imported(program, payload, config_in(tmp_path)) & MODEL_STACK == set()
