"""How a tick's alerts travel."""

from tests.unit.watch.site import API, MEMORY, quiet, site


def test_the_alerts_of_a_tick_travel_together():
    """Five instances in trouble at once are one post, not five."""
    with site() as here:
        for number in range(5):
            labels = {**API, "instance": f"api-{number}:9000"}
            here.story.tell(MEMORY.name, lambda minute: quiet(minute) if minute < 0 else 0.95, labels)
        here.every_minute(0, 5)
        assert len(here.firing) == 5
        assert len(here.line.servers[0].batches[0]) == 5
