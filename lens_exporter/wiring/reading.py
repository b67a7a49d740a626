"""From the settings of a watcher's reading to its reader."""

from functools import partial

from lens_exporter.baseline.reading.asker import Asker
from lens_exporter.baseline.reading.bounds import Bounds
from lens_exporter.baseline.reading.holds import Holds
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.baseline.reading.teller import Teller
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.watch.schedule import next_due
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.investigation import Investigation


def reader(settings: Watcher, config: Config, ground: Ground, investigation: Investigation) -> Reader | None:
    """Build what reads for a watcher; None where no reading is configured: then no model is asked and nothing changes."""
    reading = settings.reading
    if reading is None:
        return None
    client = reading.client or config.llm.primary
    bounds = Bounds(reading.times, reading.within, reading.far)
    return Reader(
        Asker(
            client,
            partial(investigation.clients.within, client),
            investigation.sources[settings.datasource or ""],
            bounds,
            step=settings.step,
            seconds=reading.timeout,
        ),
        Holds(settings.name, ground.events),
        Teller(settings.name, client, ground.events, ground.telemetry),
        bounds,
        next_look=partial(next_due, settings.schedule),
        rhythm=None if reading.when == "flagged" else partial(next_due, reading.when),
    )
