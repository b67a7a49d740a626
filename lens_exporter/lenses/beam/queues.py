"""How many messages wait in a node's mailboxes. The node has no count of them: each process is asked for its own."""

from collections.abc import Iterator

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.asks import Asks
from lens_exporter.lenses.beam.snapshot import Queues
from lens_exporter.lenses.beam.terms import Atom, Export, Pid, Term

QUEUES = "queues"
PAGE = 1000  # processes asked in one call: some 20 kB both ways, and the node does other work in between
_LENGTH = Atom("message_queue_len")
_ASK = Export(Atom("erlang"), Atom("process_info"), 2)


def read_queues(asks: Asks) -> Queues:
    """Read the longest mailbox and the messages in all of them. A process that has ended meanwhile has none.

    Raises:
        LensError: as Asks.call.

    """
    pids = asks.call("erlang", "processes")
    if not isinstance(pids, list) or not all(isinstance(pid, Pid) for pid in pids):
        raise BadTerm(node=asks.name, reason="erlang:processes() answered something else than processes")
    longest = messages = 0
    for first in range(0, len(pids), PAGE):
        page = pids[first : first + PAGE]
        lengths = list(_lengths(asks.call("lists", "zipwith", _ASK, page, [_LENGTH] * len(page)), asks.name))
        longest, messages = max([longest, *lengths]), messages + sum(lengths)
    return Queues(float(longest), float(messages))


def _lengths(page: Term, node: str) -> Iterator[int]:
    if not isinstance(page, list):
        raise BadTerm(node=node, reason="processes answered no list of mailboxes")
    for answer in page:
        match answer:
            case (str("message_queue_len"), int(length)):
                yield length
            case str("undefined"):
                pass  # it has ended
            case _:
                raise BadTerm(node=node, reason="a process answered something else than the length of its mailbox")
