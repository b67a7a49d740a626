"""Settings of the HTTP server: where it listens, who may call, and how often."""

from pydantic import Field, JsonValue, model_validator

from lens_exporter.config.values import FilePath, ListenAddress, Misfit, Name, Settings, Url, VariableName
from lens_exporter.model.access import Scope

# Marks what is read once, at the start: a reload that changes it is refused, and docs/configuration.md says so.
NEEDS_RESTART: dict[str, JsonValue] = {"needs_restart": True}


class Token(Settings):
    """A bearer token that callers may show. Several may have the same scope: one is replaced while the other still works."""

    name: Name = Field(description="what audit events call whoever shows it")
    token_file: FilePath | None = Field(None, description="holds the token, 16 characters at least; read again when it changes")
    token_env: VariableName | None = Field(None, description="environment variable that holds the token")
    scopes: tuple[Scope, ...] = Field(
        min_length=1,
        description="webhook: POST /webhook; read: metrics, pages, the reading API; admin: everything that changes something",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Token":
        if (self.token_file is None) == (self.token_env is None):
            raise Misfit((), "give either token_file or token_env")
        return self


class RateLimits(Settings):
    """Most requests a minute of one client, saved up to a minute's worth; more are answered with 429 and Retry-After."""

    webhook: int = Field(6000, gt=0, description="webhooks")
    admin: int = Field(120, gt=0, description="requests that change something")
    failed_logins: int = Field(
        10, gt=0, description="wrong passwords and tokens; what worked before from the same address goes on working"
    )


class Web(Settings):
    """The HTTP server. The flags --web.* win over these."""

    listen_address: ListenAddress = Field("127.0.0.1:10077", description="host and port", json_schema_extra=NEEDS_RESTART)
    telemetry_path: str = Field(
        "/metrics", pattern=r"^/[^\s?#]*$", description="where Prometheus scrapes", json_schema_extra=NEEDS_RESTART
    )
    external_url: Url | None = Field(
        None, description="how people reach this page; put into links", json_schema_extra=NEEDS_RESTART
    )
    max_body_bytes: int = Field(
        10 * 1024 * 1024, gt=0, description="a larger webhook body is answered with 413", json_schema_extra=NEEDS_RESTART
    )
    config_file: FilePath | None = Field(
        None,
        description="TLS, client certificates, users: a web config file as Prometheus and its exporters take it; read again when "
        "it changes",
    )
    tokens: tuple[Token, ...] = Field((), description="bearer tokens that callers may show")
    user_scopes: dict[str, tuple[Scope, ...]] = Field(
        default_factory=dict,
        description="what a user of the web config file may do, by name (of a required client certificate: by common name); where "
        "any is named here, who is not may do nothing; where none is, everybody everything",
    )
    allow_unauthenticated: bool = Field(
        False,
        description="listen on an address that other machines reach although nobody is asked who they are: for where a proxy or a "
        "network policy decides that",
    )
    rate_limits: RateLimits = Field(RateLimits(), description="what one client may ask for")

    @model_validator(mode="after")
    def _names(self) -> "Web":
        names = [token.name for token in self.tokens]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Misfit(("tokens", index, "name"), f'the name "{name}" is used by tokens[{names.index(name)}] too')
        if self.user_scopes and self.config_file is None:
            raise Misfit(("user_scopes",), "users stand in the web config file: config_file is missing")
        return self
