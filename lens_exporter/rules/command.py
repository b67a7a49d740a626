"""`lens-exporter rules baseline`: from a configuration to a rule file."""

from collections.abc import Callable
from pathlib import Path

from lens_exporter.foundation.output import output as whole
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Ruler, document
from lens_exporter.rules.plan import plan_for
from lens_exporter.wiring.configuration import load, watcher_named

Write = Callable[[str], object]


def baseline(path: Path | None, name: str, *, engine: Ruler, when: When, output: Path | None, write: Write) -> None:
    """Write the rules of one watcher into a file, or to `write`.

    Raises:
        UnknownWord: there is no such watcher. ConfigError, TableUnwritable: as the names say.

    """
    config = load(path)
    settings = watcher_named(config, name)
    source = config.datasources[settings.datasource] if settings.datasource else config.prometheus
    text = document(plan_for(settings, source), engine, when, config=path.name if path else "")
    if output is None:
        write(text)
        return
    with whole(output) as file:
        file.stream.write(text.encode())
