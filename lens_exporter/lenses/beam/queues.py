"""How many messages wait in a node's mailboxes. The node has no count of them: each process is asked for its own."""

from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.looking import amounts, processes
from lens_exporter.lenses.beam.snapshot import Queues

QUEUES = "queues"
PAGE = 1000  # processes asked in one call: some 20 kB both ways, and the node does other work in between


def read_queues(asks: Asks, count: float) -> Queues:
    """Read the longest mailbox and the messages in all of them, of so many processes. One that has ended meanwhile has none.

    Raises:
        LensError: as Asks.call.

    """
    found = amounts(asks, processes(asks, count=count), "message_queue_len", page=PAGE)
    lengths = [length for length in found if length >= 0]
    return Queues(max(lengths, default=0.0), sum(lengths))
