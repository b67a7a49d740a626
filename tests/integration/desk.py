"""An investigation without a model on a real server."""

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.agent import AgentLimits
from lens_exporter.investigate.investigator import Investigator
from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_alerts import alert_tools
from lens_exporter.investigate.tools_promql import promql_tools
from lens_exporter.investigate.tools_releases import release_tool
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.model.alert import AlertGroup
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from tests.servers.endpoints import endpoint


class Desk:
    """An offline investigator on a server with Prometheus' API, its clock set to the time of the trouble."""

    def __init__(self, url, at):
        prometheus = Prometheus(endpoint(url), QueryLimits())
        self.database = Database("sqlite://")
        metadata.create_all(self.database.engine)
        self.telemetry = Telemetry()
        self.tools = Toolbox(
            [
                *promql_tools(prometheus),
                suspect_tool(prometheus, RobustDetector()),
                release_tool(prometheus),
                *alert_tools(list, prometheus.rules),
            ],
            timeout=20.0,
        )
        self.investigator = Investigator(
            client=OfflineAnalyst,
            reviewer=lambda: None,
            toolbox=lambda _group: self.tools,
            events=Events(self.database, self.telemetry),
            telemetry=self.telemetry,
            limits=AgentLimits(),
            clock=lambda: at + 5.0,
        )

    def investigate(self, *alerts, step=lambda _name, work: work()):
        return self.investigator.run("01JD0000000000000000000001", "01JD0000000000000000000000", AlertGroup("group", alerts), step)
