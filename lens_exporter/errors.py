"""Every error lens-exporter raises. The docstring is the message; fields fill it in."""


class LensError(Exception):
    """something in lens-exporter failed"""

    # Whether the same call can be expected to succeed later without anybody changing anything.
    retryable = False

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        template = " ".join((type(self).__doc__ or "").split())
        super().__init__(template.format(**fields))


# --- configuration ---


class ConfigError(LensError):
    """{where}: {problem}"""


class ConfigInvalid(ConfigError):
    """{lines}"""  # every problem of the file, one per line


class NotConfigured(LensError):
    """{where}: {problem}"""  # what the configuration leaves out, and this call needs


class ExtraMissing(LensError):
    """{setting} needs more packages: pip install 'lens-exporter[{extra}]'"""


class SecretUnreadable(LensError):
    """cannot read the secret for {key} from {path}: {reason}"""


# --- servers we call ---


class RemoteError(LensError):
    """{service} at {url}: {reason}"""


class Unreachable(RemoteError):
    """{service} at {url} cannot be reached: {reason}"""

    retryable = True


class RemoteTimeout(RemoteError):
    """{service} at {url} did not answer within {seconds} s"""

    retryable = True


class RemoteUnavailable(RemoteError):
    """{service} at {url} answered {status}: {reason}"""

    retryable = True


class RemoteRefused(RemoteError):
    """{service} at {url} refused the request with {status}: {reason}"""


class BadAnswer(RemoteError):
    """{service} at {url} answered something that is not its protocol: {reason}"""

    retryable = True


class AnswerTooLarge(RemoteError):
    """{service} at {url} answered more than {limit} bytes"""


class BreakerOpen(RemoteError):
    """{service} is not called before {until}: it failed {failures} times in a row, last with: {reason}"""

    retryable = True


class ConcurrencyReached(RemoteError):
    """{service} at {url} was not asked: for {seconds} s others of ours ({limit} at once) were in flight, one for {longest} s"""

    retryable = True


# --- PromQL ---


class QueryError(LensError):
    """PromQL query failed ({kind}): {reason}; query: {query}"""


class QueryTooExpensive(QueryError):
    """query refused before it was sent: {reason}; query: {query}"""


class QueryTooLarge(QueryTooExpensive):
    """PromQL query has too large an answer: {reason}; query: {query}"""


# --- database ---


class DatabaseError(LensError):
    """database {url}: {reason}"""

    retryable = True


class DatabaseFull(DatabaseError):
    """database {url} cannot grow: {reason}"""


class DatabaseInUse(LensError):
    """database {url} is in use by another lens-exporter ({holder}): stop that one, or give this one its own database_url"""


class SchemaTooNew(LensError):
    """database {url} has schema {found}, newer than this version knows ({known}): start the newer lens-exporter"""


# --- what watchers have learnt, on disk ---


class SnapshotError(LensError):
    """snapshot {path}: {reason}"""


# --- lenses and their tools ---


class LensUnavailable(LensError):
    """{lens}: {reason}"""


class UnknownLens(LensError):
    """there is no lens {name!r}; known: {known}"""


class UnknownWatcher(LensError):
    """there is no watcher {name!r}; known: {known}"""


# --- Erlang nodes ---


class NodeError(LensError):
    """node {node}: {reason}"""

    @property
    def reason(self) -> str:
        return str(self.fields["reason"])


class NodeUnavailable(LensUnavailable, NodeError):
    """node {node}: {cause}: {reason}"""  # cause is one of lenses.beam.asks.Cause

    retryable = True

    @property
    def cause(self) -> str:
        return str(self.fields["cause"])


class CallRefused(NodeError):
    """{call} is not among the calls that may be sent to a node: {reason}"""


class CallTimeout(NodeError):
    """node {node} did not answer {call} within {seconds} s"""

    retryable = True

    @property
    def reason(self) -> str:
        return str(self)


class NodeBusy(CallTimeout):
    """node {node} was not asked for {call}: {why}"""


class QuestionTooLong(CallTimeout):
    """node {node} was not asked for {call} any more: the {seconds} s of the whole question are over"""


class CallFailed(NodeError):
    """node {node} could not do {call}: {reason}"""


class NotThere(CallFailed):
    """node {node} has no {call}: {reason}"""


class BadTerm(NodeError):
    """node {node} sent something that cannot be read as a term: {reason}"""


# --- language models ---


class ModelError(LensError):
    """model client {client}: {reason}"""


class ModelRefused(ModelError):
    """model client {client} refused to answer: {reason}"""


class ModelOverloaded(ModelError):
    """model client {client} is overloaded ({status}): {reason}"""

    retryable = True


class ModelUnavailable(ModelError):
    """model client {client} cannot answer now: {reason}"""

    retryable = True


class ModelTimeout(ModelError):
    """model client {client} did not answer within {seconds} s"""

    retryable = True


class BudgetSpent(ModelError):
    """model client {client} was not called: the budget of {limit} dollars a day is spent until {until}"""


class UnknownClient(LensError):
    """there is no model client {name!r}; known: {known}"""


# --- what somebody asked for ---


class UnknownWord(LensError):
    """there is no {what} {name!r}{meant}; known: {known}"""


class MatcherInvalid(LensError):
    """matcher {matcher} cannot be read: {reason}"""


class DeclarationInvalid(LensError):
    """{what}: {reason}"""


class DeclarationsFull(LensError):
    """limit of {limit} declarations of what is expected{whose} reached: withdraw one, or wait until the oldest are forgotten"""


class UnknownDeclaration(LensError):
    """nothing is declared to be expected under {id!r}"""


class DeclaredElsewhere(LensError):
    """{id} is a silence of Alertmanager: expire it there"""


class UnknownStory(LensError):
    """no event has the correlation id {correlation}"""


# --- our HTTP server and intake ---


class BadWebhook(LensError):
    """not an Alertmanager webhook of version 4: {reason}"""


class BodyTooLarge(LensError):
    """the body has more than {limit} bytes"""


class IntakeFull(LensError):
    """{depth} investigations are waiting, the limit is {limit}"""

    retryable = True


class AddressTaken(LensError):
    """cannot listen on {address}: {reason}"""


class IntakeBusy(LensError):
    """bodies on their way in already take {limit} bytes"""

    retryable = True


class UnknownInvestigation(LensError):
    """there is no investigation {id!r}"""


# --- servers the demo and the tests start ---


class ServerMissing(LensError):
    """{program} is not on PATH: install it (Debian: apt install {package}), or run scripts/servers.sh"""


class ServerGone(LensError):
    """{program} at {url} does not answer any more: {reason}; the end of its log: {log}"""


class ServerNotReady(LensError):
    """{program} at {url} did not start: {reason}; the end of its log: {log}"""


# --- durable work ---


class StepUnrecordable(LensError):
    """step {step} gave something that cannot be kept: {reason}"""


class StepUnreadable(LensError):
    """step {step} was recorded by another version of lens-exporter and cannot be read back: {reason}"""


class UnknownAlert(LensError):
    """there is no alert {fingerprint} in {where}"""


# --- tables of values ---


class TableInvalid(LensError):
    """{where}: {problem}"""


class TableUnreadable(LensError):
    """cannot read {where}: {reason}"""


class TableUnwritable(LensError):
    """cannot write {where}: {reason}"""


# --- one look ---


class LookFailed(LensError):
    """watcher {watcher}: {failed} of {metrics} metrics could not be read"""


# --- replays of the past ---


class NothingToJudge(LensError):
    """watcher {watcher} has nothing to judge from {begin} to {end} at {source}: {reason}"""
