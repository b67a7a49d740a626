"""What one round of keeping alerts alive does when the disk is full."""

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError
from lens_exporter.model.alert import Alert
from tests.servers.fake_alertmanager import FakeAlertmanager
from tests.unit.wiring.test_generation import generation


def _full(_connection, _cursor, statement, *_rest):
    if statement.startswith(("INSERT", "UPDATE", "DELETE")):
        raise sa.exc.OperationalError(statement, {}, Exception("database or disk is full"))


def test_an_orphan_that_cannot_be_ended_lets_no_other_alert_lapse():
    """Its end waits for the disk; what is due is posted all the same."""
    with FakeAlertmanager() as server, generation({"alertmanager": {"urls": [server.url]}}) as built, built.lifecycle.batch():
        built.lifecycle.fire(Alert({"alertname": "Orphan", "watcher": "gone"}), correlation="c", origin="watcher")
        sa.event.listen(sa.Engine, "before_cursor_execute", _full)
        try:
            with pytest.raises(DatabaseError):
                built.keep_alive()
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", _full)
        assert server.names() == [["Orphan"]]
