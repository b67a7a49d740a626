"""Other people's detectors, re-implemented in numpy so that they meet the same data; each says where it differs from its source."""

from .grafana import adaptive, robust
from .kept import Kept
from .netdata import kmeans_consensus
from .peer import Peer, group_score
from .plain import median_mad, rolling_z, time_of_day

__all__ = ["Kept", "Peer", "all_peers", "group_score"]


def all_peers() -> tuple[Peer, ...]:
    """Give every peer once, in the order of the tables."""
    return (
        adaptive(),
        robust(),
        rolling_z(1),
        rolling_z(7),
        median_mad(1),
        median_mad(14),
        kmeans_consensus(),
        time_of_day(),
    )
