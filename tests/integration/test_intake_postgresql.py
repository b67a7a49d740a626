"""The intake's whole suite once more, over PostgreSQL; and what only several replicas can do wrong."""

import threading
from collections.abc import Iterator

import pytest

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.alert import AlertGroup
from tests.servers.postgres import postgres
from tests.unit.investigate.intake_site import Site, alert
from tests.unit.investigate.test_intake_announcements import *  # noqa: F403 - the same tests
from tests.unit.investigate.test_intake_dispatch import *  # noqa: F403
from tests.unit.investigate.test_intake_webhooks import *  # noqa: F403

pytestmark = pytest.mark.integration

STORY = "01JD0000000000000000000000"
OTHER_STORY = "01JD0000000000000000000001"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def database(server) -> Iterator[Database]:
    database = Database(server)
    metadata.create_all(database.engine)
    yield database
    metadata.drop_all(database.engine)
    database.close()


@pytest.fixture
def site(database) -> Site:
    """Replaces the fixture of the imported tests: the same site on PostgreSQL."""
    site = Site(database)
    own = {"LensMemory": STORY, "LensFds": OTHER_STORY}
    site.stories |= {alert(name, watcher="python").fingerprint: story for name, story in own.items()}
    return site


def test_replicas_that_take_in_the_same_webhook_make_one_investigation(server, database):
    """Alertmanager may deliver to two replicas at once; one of them finds everything known."""
    sites = [Site(Database(server)) for _ in range(4)]
    start, outcomes = threading.Barrier(len(sites)), []

    def deliver(site: Site, prefix: int) -> None:
        site.intake._new_id = lambda: f"{prefix:026d}"
        start.wait()
        outcomes.append(site.accept(alert("A"), alert("B")).outcome.value)

    threads = [threading.Thread(target=deliver, args=(site, number)) for number, site in enumerate(sites)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["duplicate", "duplicate", "duplicate", "held"]
    assert len(sites[0].store.briefs()) == 1
    for site in sites:
        site.database.close()


def test_replicas_hand_a_unit_over_once(server, database):
    """Every replica's dispatcher sees the same due unit; one of them moves it."""
    site = Site(database)
    held = site.intake.accept(AlertGroup("k", (alert("A"),)))
    assert [site.store.hand_over(held.investigation) for _ in range(3)] == [True, False, False]
