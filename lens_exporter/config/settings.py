"""Every setting, with its default. Unknown keys are errors; secrets are files or environment names, never values in this file."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lens_exporter.config.beam import Published
from lens_exporter.config.queries import Query
from lens_exporter.config.values import (
    DatabaseUrl,
    Duration,
    ExternalLabel,
    FilePath,
    HeaderName,
    HeaderValue,
    LabelName,
    LabelValue,
    Misfit,
    Moments,
    Name,
    Pause,
    Regex,
    Schedule,
    Selector,
    Settings,
    TimeZone,
    Url,
    VariableName,
    shortest_gap,
)
from lens_exporter.config.web import NEEDS_RESTART, Web
from lens_exporter.model.budget import MOST_PER_WEEK, USUAL_PER_WEEK
from lens_exporter.model.duration import seconds
from lens_exporter.model.metric import BaselineMetric, Direction

DEFAULT_ANTHROPIC_MODEL = "claude-haiku-4-5"


class Tls(Settings):
    """How a server's certificate is checked, and ours shown."""

    ca_file: FilePath | None = Field(None, description="certificates trusted instead of the system's")
    cert_file: FilePath | None = Field(None, description="our certificate, where the server asks for one")
    key_file: FilePath | None = Field(None, description="its key")
    insecure_skip_verify: bool = Field(False, description="accept any certificate")

    @model_validator(mode="after")
    def _pair(self) -> "Tls":
        if (self.cert_file is None) != (self.key_file is None):
            raise Misfit(("cert_file" if self.key_file is None else "key_file",), "cert_file and key_file come together")
        return self


class BasicAuth(Settings):
    """A user's name, and where the password is."""

    username: str = Field(description="sent with the password of password_file")
    password_file: FilePath = Field(description="read at each request, so it may be rotated")


class Server(Settings):
    """A server we call, and how we show who we are."""

    timeout: Duration = Field(30.0, description="for one request and its whole answer")
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, repr=False, description="sent with each request")
    basic_auth: BasicAuth | None = Field(None, description="user and password")
    bearer_token_file: FilePath | None = Field(None, description="token sent as Authorization: Bearer; read at each request")
    bearer_token_env: VariableName | None = Field(None, description="environment variable that holds the token")
    tls: Tls = Field(Tls(), description="certificates")

    @model_validator(mode="after")
    def _one_identity(self) -> "Server":
        given = [key for key in ("basic_auth", "bearer_token_file", "bearer_token_env") if getattr(self, key) is not None]
        if len(given) > 1:
            raise Misfit((given[1],), f"{given[0]} is given too; give only one of them")
        return self


class Prometheus(Server):
    """Any engine that speaks the Prometheus HTTP API. It answers uncompressed, unless `headers` has an Accept-Encoding."""

    url: Url = Field("http://localhost:9090", description="where it is")
    tenant: str | None = Field(None, description="sent as X-Scope-OrgID")
    max_samples: int = Field(5_000_000, gt=0, description="a query estimated to read more samples is refused before it is sent")
    max_series: int = Field(
        10_000,
        gt=0,
        description="more series in an answer make it truncated; an answer may have 2 KiB for each, 64 MiB at least",
    )
    max_range: Duration = Field(seconds("35d"), description="longest range one query may cover")
    concurrency: int = Field(1, ge=1, le=16, description="queries in flight at once; others wait, for `timeout` at most")


class Alertmanager(Server):
    """Where our alerts go."""

    urls: tuple[Url, ...] = Field((), description="every one gets every alert; none: anomalies stay on the page and in metrics")
    resend_interval: Duration = Field(60.0, description="how often a firing alert is sent again")
    resolved_for: Duration = Field(seconds("15m"), description="how long a resolved alert is still re-sent")
    timeout: Duration = Field(10.0, description="for one request and its whole answer")


class Grafana(Server):
    """Where findings are drawn as annotations."""

    url: Url = Field(description="where it is")
    token_file: FilePath | None = Field(None, description="service-account token; read at each request")
    token_env: VariableName | None = Field(None, description="environment variable that holds the token")
    dashboard_uid: str | None = Field(None, description="annotate this dashboard only; default: the organisation")
    timeout: Duration = Field(10.0, description="for one request and its whole answer")

    @model_validator(mode="after")
    def _one_token(self) -> "Grafana":
        given = [
            key
            for key in ("basic_auth", "bearer_token_file", "bearer_token_env", "token_file", "token_env")
            if getattr(self, key) is not None
        ]
        if len(given) > 1:
            raise Misfit((given[1],), f"{given[0]} is given too; give only one of them")
        return self


class LlmOptions(Settings):
    """What a provider needs."""

    model: str | None = Field(
        None, min_length=1, description=f"required for openai; for anthropic, when left out: {DEFAULT_ANTHROPIC_MODEL}"
    )
    base_url: Url | None = Field(None, description="another server that speaks the same protocol (a gateway, Ollama, vLLM)")
    api_key_file: FilePath | None = Field(None, description="read at each use, so it may be rotated")
    api_key_env: VariableName | None = Field(None, description="environment variable that holds the key")
    max_tokens: int = Field(4096, gt=0, description="most output tokens of one answer")
    timeout: Duration = Field(60.0, description="for one model call")
    input_price: float | None = Field(
        None, ge=0, description="dollars per million input tokens; default: the published price, 0 when unknown"
    )
    output_price: float | None = Field(
        None, ge=0, description="dollars per million output tokens; default: the published price, 0 when unknown"
    )

    @model_validator(mode="after")
    def _one_key(self) -> "LlmOptions":
        if self.api_key_file is not None and self.api_key_env is not None:
            raise Misfit(("api_key_env",), "api_key_file is given too; give only one of them")
        return self


class LlmClient(Settings):
    """One language model under a name of its own."""

    name: str = Field(min_length=1, description="what primary, reviewer, metrics and findings call it")
    provider: Literal["anthropic", "openai", "offline"] = Field(
        description="openai is any server that speaks its chat protocol; offline is the deterministic analyst"
    )
    options: LlmOptions = Field(LlmOptions(), description="model, key, limits")

    @model_validator(mode="before")
    @classmethod
    def _default_model(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("provider") == "openai-generic":  # the seed's word for the same
            return {**given, "provider": "openai"}
        if isinstance(given, dict) and given.get("provider") == "anthropic" and isinstance(given.get("options", {}), dict):
            return {**given, "options": {"model": DEFAULT_ANTHROPIC_MODEL, **given.get("options", {})}}
        return given

    @model_validator(mode="after")
    def _fits_the_provider(self) -> "LlmClient":
        options = self.options
        if self.provider == "offline":
            if options.model_fields_set:
                raise Misfit(("options",), "the offline analyst takes no options")
            return self
        if self.name == "offline":
            raise Misfit(("name",), "the name offline belongs to the built-in analyst")
        if options.model is None:
            raise Misfit(("options", "model"), f"required for {self.provider}")
        if options.base_url is None and options.api_key_file is None and options.api_key_env is None:
            raise Misfit(("options",), f"{self.provider} needs api_key_file or api_key_env (or a base_url that asks for no key)")
        return self


class Budget(Settings):
    """Money as a refill rate, so that a bad night cannot spend tomorrow's."""

    dollars_per_day: float = Field(5.0, ge=0, description="what flows in, evenly over the day")
    burst_dollars: float = Field(1.0, ge=0, description="most that can be saved up")
    critical_reserve: float = Field(0.3, ge=0, le=1, description="part of the burst kept for critical alerts")


class Llm(Settings):
    """The language models. With none, the offline analyst answers and says so."""

    primary: str = Field("offline", description="the client that investigates")
    reviewer: str | None = Field(None, description="client that reviews analyses; default: primary")
    clients: tuple[LlmClient, ...] = Field((), description="clients by name")
    budget: Budget = Field(Budget(), description="what may be spent")
    redact: tuple[Regex, ...] = Field(
        (), description="more regular expressions whose matches never leave, beside the built-in ones"
    )

    @model_validator(mode="after")
    def _names(self) -> "Llm":
        names = [client.name for client in self.clients]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Misfit(("clients", index, "name"), f'the name "{name}" is used by clients[{names.index(name)}] too')
        for key, chosen in (("primary", self.primary), ("reviewer", self.reviewer)):
            if chosen is not None and chosen not in {*names, "offline"}:
                raise Misfit((key,), f'there is no client "{chosen}"; known: {", ".join(dict.fromkeys([*names, "offline"]))}')
        return self


class Metric(Settings):
    """One tracked quantity of a watcher."""

    query: Query = Field(min_length=1, description="PromQL that answers an instant vector; each of its series is judged by itself")
    unit: str = Field(
        "", description='ratio, percent, bytes, seconds or per_second; any other stands behind the number; "" for a plain number'
    )
    category: str = Field(
        "",
        pattern=r"^([a-z][a-z0-9]*)?$",
        description="cooldown and alert name (memory: LensMemory); default: the name's first word",
    )
    direction: Direction = Field(Direction.BOTH, description="which side of normal is worth an alert")
    min_change: float = Field(0.0, ge=0, description="in the metric's unit: a smaller departure is never an anomaly")
    min_change_ratio: float = Field(0.0, ge=0, description="the same as a part of what is expected")
    ceiling: float | None = Field(None, description="a level that is an anomaly whatever the baseline")
    full: float | None = Field(None, description="the hard limit: a trend towards it is forecast")
    words: str = Field("", description='how prose names it ("open files")')

    @model_validator(mode="after")
    def _ceiling_before_full(self) -> "Metric":
        falls = self.direction is Direction.DOWN
        if self.ceiling is not None and self.full is not None and (self.ceiling < self.full if falls else self.ceiling > self.full):
            side = "at least" if falls else "at most"
            raise Misfit(("ceiling",), f"expected {side} full ({self.full:g}): it could never be reached")
        return self

    def named(self, name: str) -> BaselineMetric:
        return BaselineMetric(name=name, **self.model_dump())


class Cooldown(Settings):
    """How long an anomaly of one category and target stays quiet after it was alerted on."""

    default: Duration = Field(300.0, description="when the analyzer proposes none")
    minimum: Duration = Field(60.0, description="shortest it may propose")
    maximum: Duration = Field(86_400.0, description="longest it may propose")

    @model_validator(mode="after")
    def _in_order(self) -> "Cooldown":
        if not self.minimum <= self.default <= self.maximum:
            raise Misfit(("default",), "expected minimum <= default <= maximum")
        return self


class Reading(Settings):
    """A model reads what statistics flag, before its alert begins. It can hold the alert back or lower it for a while, no more."""

    client: str | None = Field(None, description="a client of llm.clients; default: llm.primary")
    when: Moments = Field(
        "flagged", description="flagged: only what is new; a schedule: looks in which nothing is new too, and then only for notes"
    )
    timeout: Duration = Field(10.0, le=30, description="longest a tick waits for it; then the alert goes out as it is")
    times: int = Field(3, ge=0, le=5, description="how often it may hold back the alert of one anomaly")
    within: Duration = Field(
        900.0, le=1800, description="for how long in all its word stands: for deferring, lowering, and the cooldown it proposes"
    )
    far: float = Field(3.0, gt=1, le=5, description="anomalies of this score or beyond never wait (1 is the edge of the band)")


class Watcher(Settings):
    """What is watched, when, and against which history."""

    name: Name = Field(description="in alerts and metrics; default: the lens")
    lens: str = Field(description="host, python, beam, or promql for metrics of your own")
    schedule: Schedule = Field(description="cron in UTC: five fields and an optional sixth, seconds, last")
    datasource: str | None = Field(None, description="a name under datasources; default: prometheus")
    window: Duration = Field(
        seconds("14d"),
        description="most history a baseline is learnt from; at any moment it is between half of it and all; below two days there "
        "are no seasons and no budget of false alarms: what leaves the band of the last hours is told",
    )
    step: Duration = Field(60.0, description="time between two readings of the history")
    false_alarms_per_week: float = Field(
        USUAL_PER_WEEK,
        gt=0,
        le=MOST_PER_WEEK,
        description="budget of false alarms, for each group of series that are judged together",
    )
    group_labels: tuple[LabelName, ...] | None = Field(
        None,
        description="labels that name what is judged together; default: instance, pod, node or host, whichever a series has, in "
        "its cluster, namespace and job where it names them",
    )
    timezone: TimeZone = Field("UTC", description="of the people who make the load: its clock says what the same time of day is")
    missing_is_anomaly: bool = Field(
        False,
        description="the missing value of a series that nearly always has one counts as a departure, unless Prometheus scraped "
        "nothing at all then (`timestamp(up)`)",
    )
    selector: Selector = Field("", description='PromQL matchers put into every query of the lens, like job="api"')
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Metric] = Field(
        default_factory=dict, description="by name; replaces the lens' own list"
    )
    min_observations: int = Field(10, ge=3, description="readings before anything is judged")
    sensitivity: float = Field(
        6.0, gt=0, description="half-width of the band in robust standard deviations, while less than a day is known"
    )
    exhaustion_horizon: Duration = Field(3600.0, description="a trend that reaches the limit within this time is an anomaly")
    lower_recurring: bool = Field(
        True,
        description="what comes back about the same hour of the day, on three of the last seven days and as far, is told as info; "
        "false: as any other anomaly",
    )
    cooldown: Cooldown | None = Field(None, description="default: the top-level cooldown")
    target_labels: tuple[LabelName, ...] | None = Field(None, description="labels that identify a target; default: all of a series")
    reading: Reading | None = Field(None, description="a model's reading of new anomalies; default: none, and no model is asked")
    published_series: int | None = Field(
        None, ge=0, description="most of its series (and groups) whose band and score are published; default: only all have a limit"
    )
    runbook_url: Url | None = Field(None, description="what to do about its alerts; goes into their annotations")
    timeout: Duration = Field(60.0, description="for one tick")
    options: dict[str, Any] = Field(default_factory=dict, description="what the lens itself needs")

    @model_validator(mode="after")
    def _has_history(self) -> "Watcher":
        if self.window < self.step * self.min_observations:
            raise Misfit(("window",), "expected room for min_observations readings, one every step")
        if self.lens == "promql" and not self.metrics:
            raise Misfit(("metrics",), "required for the lens promql")
        return self

    @model_validator(mode="after")
    def _reading_in_time(self) -> "Watcher":
        if self.reading is not None and self.reading.within < shortest_gap(self.schedule):
            raise Misfit(("reading", "within"), "expected at least the time between two ticks: nothing is held back for longer")
        return self


class PythonProcess(Settings):
    """A Python process to look at from outside."""

    name: Name = Field(description="the label process")
    pid: int | None = Field(None, gt=0, description="its process id")
    match: Regex | None = Field(None, description="regular expression searched in the command line")

    @model_validator(mode="after")
    def _one(self) -> "PythonProcess":
        if (self.pid is None) == (self.match is None):
            raise Misfit((), "give either pid or match")
        return self


class Lenses(Settings):
    """What is published on /metrics."""

    host: bool = Field(True, description="publish the host's memory, CPU, disks, load")
    python: bool = Field(True, description="publish lens-exporter's own process")
    python_processes: tuple[PythonProcess, ...] = Field((), description="other Python processes on this host")
    beam: tuple[Published, ...] = Field((), description="Erlang and Elixir nodes; those of watchers are published too")


class Investigate(Settings):
    """How alerts are looked into, and how far."""

    enabled: bool = Field(True, description="investigate at all")
    concurrency: int = Field(2, ge=1, le=32, description="investigations at once", json_schema_extra=NEEDS_RESTART)
    iterations: int = Field(10, ge=1, le=50, description="model calls before the best answer so far is taken")
    tool_timeout: Duration = Field(30.0, description="for one tool call")
    total_timeout: Duration = Field(300.0, description="wall time of one investigation's agent")
    max_tokens: int = Field(200_000, gt=0, description="input and output tokens of one investigation")
    max_dollars: float = Field(0.25, ge=0, description="money one investigation may cost")
    settle: Duration = Field(
        35.0,
        description="younger samples are not asked for: they may still arrive (remote write, VictoriaMetrics' latencyOffset)",
    )
    review_retries: int = Field(2, ge=0, le=5, description="how often a reviewer may send an analysis back")
    debounce: Pause = Field(30.0, description="how long a new group waits; critical ones never wait")
    webhook_grace: Pause = Field(
        60.0, description="how long an own alert waits for Alertmanager's webhook before it is investigated anyway"
    )
    source_patience: Pause = Field(
        300.0,
        description="how long after its alerts came in an investigation waits for a data source that does not answer, "
        "before it begins without; 0 waits for nothing",
    )
    max_queue: int = Field(1000, gt=0, description="more waiting investigations are answered with 503")


class Config(Settings):
    """The whole configuration. With none given it watches its own host and process."""

    origin: str = Field("lens", pattern=r"^[a-zA-Z0-9_.-]+$", description="label lens_origin: which lens-exporter said it")
    external_labels: dict[ExternalLabel, LabelValue] = Field(
        default_factory=dict,
        description="labels put on every alert and finding that has none of that name, like the external_labels of a Prometheus; "
        "tells lens-exporters apart that share an Alertmanager",
    )
    prometheus: Prometheus = Field(Prometheus(), description="where history is")
    datasources: dict[Name, Prometheus] = Field(default_factory=dict, description="more of them, by name, for single watchers")
    alertmanager: Alertmanager = Field(Alertmanager(), description="where alerts go")
    grafana: Grafana | None = Field(None, description="where annotations go")
    llm: Llm = Field(Llm(), description="language models")
    lenses: Lenses = Field(Lenses(), description="what is published")
    watchers: tuple[Watcher, ...] = Field(
        (
            Watcher(name="host", lens="host", schedule="*/1 * * * *"),
            Watcher(name="python", lens="python", schedule="*/1 * * * *"),
        ),
        description="what is watched; default: host and python, each minute",
    )
    cooldown: Cooldown = Field(Cooldown(), description="for every watcher without one of its own")
    investigate: Investigate = Field(Investigate(), description="limits of investigations")
    web: Web = Field(Web(), description="the HTTP server and who may call it")
    database_url: DatabaseUrl = Field(
        "sqlite:///data/lens.db",
        description="SQLite file (relative to the working directory) or PostgreSQL; of one lens-exporter at a time",
        json_schema_extra=NEEDS_RESTART,
    )
    database_password_file: FilePath | None = Field(
        None, description="password of the PostgreSQL user; read at start", json_schema_extra=NEEDS_RESTART
    )
    database_password_env: VariableName | None = Field(
        None, description="environment variable that holds that password", json_schema_extra=NEEDS_RESTART
    )
    snapshots: bool = Field(
        True,
        description="whether what watchers have learnt is written down when they stop, and every six hours, for the next start",
        json_schema_extra=NEEDS_RESTART,
    )
    snapshots_path: FilePath | None = Field(
        None,
        description="folder for that, for this process alone; default: beside the SQLite file, and with PostgreSQL nowhere",
        json_schema_extra=NEEDS_RESTART,
    )
    published_series: int = Field(
        500,
        ge=0,
        description="most series (and groups) of all watchers whose band and score are published; anomalies always are, and first",
    )
    events_retention: Duration = Field(
        seconds("30d"), description="how long events are kept, and investigations that are over, with the records of their steps"
    )
    otlp_endpoint: Url | None = Field(
        None, description="spans go there, under the origin of the start (extra: otlp)", json_schema_extra=NEEDS_RESTART
    )
    otlp_metrics_interval: Duration | None = Field(
        None,
        ge=1.0,
        description="how often what /metrics shows goes to otlp_endpoint too; not at all unless set",
        json_schema_extra=NEEDS_RESTART,
    )
