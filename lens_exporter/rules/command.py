"""`lens-exporter rules baseline`: from a configuration to a rule file."""

from collections.abc import Callable
from pathlib import Path

from lens_exporter.errors import TableUnwritable, UnknownWatcher
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Engine, document
from lens_exporter.rules.plan import plan_for
from lens_exporter.wiring.configuration import load

Write = Callable[[str], object]


def baseline(path: Path | None, name: str, *, engine: Engine, when: When, output: Path | None, write: Write) -> None:
    """Write the rules of one watcher into a file, or to `write`.

    Raises:
        UnknownWatcher, ConfigError: as the names say.

    """
    config = load(path)
    settings = next((each for each in config.watchers if each.name == name), None)
    if settings is None:
        raise UnknownWatcher(name=name, known=", ".join(each.name for each in config.watchers) or "none")
    source = config.datasources[settings.datasource] if settings.datasource else config.prometheus
    text = document(plan_for(settings, source), engine, when, config=path.name if path else "")
    if output is None:
        write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TableUnwritable(where=output, reason=error.strerror or error) from error
