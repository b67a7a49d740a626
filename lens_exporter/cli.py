"""The command line: Prometheus-style flags, help with examples, errors in one line and exit codes that mean something.

Exit codes: 0 done, 1 it did not work out, 2 the configuration or the call is wrong, 130 ended by Ctrl-C (143 by SIGTERM).
"""

import gc
import math
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import click

from lens_exporter import __version__
from lens_exporter.errors import ConfigError, LensError, NotConfigured, UnknownWord
from lens_exporter.model.budget import MOST_PER_WEEK, USUAL_PER_WEEK

_CONFIG = click.option(
    "--config.file",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML configuration; without it, host and this process are watched against a Prometheus on localhost:9090.",
)
_LOG = [
    click.option(
        "--log.level", "log_level", type=click.Choice(["debug", "info", "warn", "error"]), default="info", show_default=True
    ),
    click.option("--log.format", "log_format", type=click.Choice(["logfmt", "json"]), default="logfmt", show_default=True),
]


def _quiet_logs() -> None:
    """Let only warnings out, on standard error: standard output is the answer."""
    from lens_exporter.foundation import logs  # noqa: PLC0415

    logs.set_up("warn", "logfmt")


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _with_log_flags(command: Any) -> Any:
    for option in reversed(_LOG):
        command = option(command)
    return command


class _Within(click.FloatRange):
    """A range that NaN, which is neither below nor above anything, is outside of."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number


def _is_one_file(*places: Path | int) -> bool:
    """Tell whether two paths, or descriptors of standard streams, are the same plain file."""
    try:
        one, other = map(os.stat, places)
    except OSError:
        return False  # what is not there is nobody's input
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


class _OneLineErrors(click.Group):
    """Errors that have a name end in one line and an exit code; anything else is a fault of ours and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(str(error), err=True)
            ctx.exit(2)
        except (UnknownWord, NotConfigured) as error:
            click.echo(f"lens-exporter: {error}", err=True)
            ctx.exit(2)
        except LensError as error:
            click.echo(f"lens-exporter: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="lens-exporter")
def main() -> None:
    """Know what normal looks like: publish, learn baselines, alert on anomalies, investigate with checked evidence."""
    # For numpy, which no import above has loaded. Its linear algebra works on matrices of a group's size, many of them: sharing
    # each one out among threads takes longer than the work, and on a busy machine a hundred times as long.
    os.putenv("OPENBLAS_NUM_THREADS", "1")


@main.command(
    epilog=_examples("lens-exporter run", "lens-exporter run --config.file lens.yml --web.listen-address 127.0.0.1:10077")
)
@_CONFIG
@click.option("--web.listen-address", "listen_address", help="Overrides web.listen_address.  [default: 127.0.0.1:10077]")
@click.option("--web.telemetry-path", "telemetry_path", help="Overrides web.telemetry_path.  [default: /metrics]")
@click.option("--web.external-url", "external_url", help="The address under which people reach this process; used in links.")
@click.option(
    "--web.config.file",
    "web_config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TLS, client certificates and users, in the format of Prometheus' web config file. Overrides web.config_file.",
)
@click.option(
    "--web.allow-unauthenticated",
    "allow_unauthenticated",
    is_flag=True,
    help="Listen where other machines reach it although nobody is asked who they are.",
)
@_with_log_flags
def run(
    config_file: Path | None,
    listen_address: str | None,
    telemetry_path: str | None,
    external_url: str | None,
    web_config_file: Path | None,
    log_level: str,
    log_format: str,
    *,
    allow_unauthenticated: bool,
) -> None:
    """Run lens-exporter until it is told to stop. SIGHUP or POST /-/reload takes a changed configuration."""
    # Nothing that is imported is garbage: looking for it takes a tenth of the start, and each full collection later stops every
    # thread for a tenth of a second over it.
    gc.disable()
    from lens_exporter.app import run as run_app  # noqa: PLC0415 - keeps --help and check-config quick
    from lens_exporter.foundation import logs  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    logs.set_up(log_level, log_format)
    web = {
        "listen_address": listen_address,
        "telemetry_path": telemetry_path,
        "external_url": external_url,
        "config_file": web_config_file,
        "allow_unauthenticated": allow_unauthenticated or None,
    }
    sys.exit(run_app(config_file, {key: value for key, value in web.items() if value is not None}))


@main.command(epilog=_examples("lens-exporter health", "lens-exporter health --url https://127.0.0.1:10077"))
@click.option("--url", default="http://127.0.0.1:10077", show_default=True, help="Where it listens.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=4.0, show_default=True, help="Seconds.")
def health(url: str, timeout: float) -> None:
    """Ask a running lens-exporter whether it answers, as a container's health check does. Exit code 1 if it does not."""
    from lens_exporter.health import health as ask  # noqa: PLC0415

    if not url.startswith(("http://", "https://")):
        raise click.UsageError('--url: expected an address like "http://127.0.0.1:10077"')
    click.echo(ask(url, timeout))


@main.command("check-config", epilog=_examples("lens-exporter check-config lens.yml"))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def check_config(file: Path) -> None:
    """Read a configuration and name everything that is wrong with it, with its line. Exit code 2 if anything is."""
    from lens_exporter.config.check import check_config as check  # noqa: PLC0415
    from lens_exporter.exposition.rules import build  # noqa: PLC0415
    from lens_exporter.lenses.catalog import lens_options  # noqa: PLC0415

    summary = check(file, lens_options(), who_may_call=lambda web, secrets: build(web, secrets, {}))
    width = max(len(part) for part, _ in summary.rows)
    for part, said in summary.rows:
        click.echo(f"{part.ljust(width)}  {said}")
    for warning in summary.warnings:
        click.echo(f"warning: {warning}", err=True)
    count = len(summary.warnings)
    click.echo(f"{file}: fine" + (f", but for {count} warning{'s' if count > 1 else ''}" if count else ""))


@main.command(epilog=_examples("lens-exporter watch python --once", "lens-exporter watch checkout --once --config.file lens.yml"))
@click.argument("name")
@click.option("--once", is_flag=True, help="One look, then exit. Without it, one look at each time of the watcher's schedule.")
@_CONFIG
def watch(name: str, config_file: Path | None, *, once: bool) -> None:
    """Show every series a watcher judges, next to what is normal for it. Alerts nobody and stores nothing."""
    from lens_exporter.oneshot import watch as look  # noqa: PLC0415

    _quiet_logs()
    look(config_file, name, once=once, write=click.echo)


@main.command(
    epilog=_examples(
        "lens-exporter investigate --alert 9f2c51b7f1f3a8d0 --config.file lens.yml",
        "lens-exporter investigate --file payload.json",
    )
)
@click.option("--alert", "fingerprint", help="Fingerprint of an alert that an Alertmanager holds now.")
@click.option(
    "--file", "payload", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A saved webhook body (version 4)."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_CONFIG
def investigate(fingerprint: str | None, payload: Path | None, form: str, config_file: Path | None) -> None:
    """Investigate one alert now, here, and print the finding. Publishes nothing."""
    from lens_exporter.oneshot import investigate as look_into  # noqa: PLC0415

    if (fingerprint is None) == (payload is None):
        raise click.UsageError("give either --alert FINGERPRINT or --file payload.json")
    _quiet_logs()
    look_into(config_file, fingerprint=fingerprint, payload=payload, as_json=form == "json", write=click.echo)


@main.command(
    epilog=_examples(
        "lens-exporter events --correlation 01JD3V7Q4C0000000000000000", "lens-exporter events --type anomaly.detected"
    )
)
@click.option("--correlation", help="One story, in order.")
@click.option("--type", "kind", help="Events of one type (docs/events.md).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_CONFIG
def events(correlation: str | None, kind: str | None, limit: int, form: str, config_file: Path | None) -> None:
    """Read what happened from the database, also while lens-exporter runs."""
    from lens_exporter.oneshot import events as tell  # noqa: PLC0415

    _quiet_logs()
    tell(config_file, correlation=correlation, kind=kind, limit=limit, as_json=form == "json", write=click.echo)


@main.command(
    epilog=_examples(
        "lens-exporter detect --input series.csv --output scores.csv",
        "lens-exporter detect --input node.csv --group node-7 --false-alarms-per-week 0.5",
        "curl -s http://here/series.csv | lens-exporter detect | awk -F, '$8 == 1'",
    )
)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="CSV: a column timestamp (ISO, UTC without zone, or Unix seconds), then one column a series.  [default: standard input]",
)
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Long CSV, one line per row and series; there when all is scored.  [default: standard output]",
)
@click.option(
    "--false-alarms-per-week",
    "budget",
    type=_Within(min=0, max=MOST_PER_WEEK, min_open=True),
    default=USUAL_PER_WEEK,
    show_default=True,
    help="How often each series, or the group, may be called an anomaly when nothing is wrong.",
)
@click.option("--group", help="Judge all series together as well, under this name, and say which of them carry it.")
@click.option("--missing", is_flag=True, help="A missing value is an anomaly too, where the series normally has one.")
def detect(source: Path | None, target: Path | None, budget: float, group: str | None, *, missing: bool) -> None:
    """Score a CSV table, each row from the rows before it. Reads and writes pipes."""
    from lens_exporter.replay.detect import Request  # noqa: PLC0415
    from lens_exporter.replay.files import detect_files  # noqa: PLC0415

    stdin, stdout = (None if path == Path("-") else path for path in (source, target))
    if _is_one_file(0 if stdin is None else stdin, 1 if stdout is None else stdout):
        given, taken = "standard input" if stdin is None else "--input", "standard output" if stdout is None else "--output"
        raise click.UsageError(f"{taken} would overwrite {given}")
    if group == "":
        raise click.UsageError("--group needs a name")
    detect_files(stdin, stdout, Request(false_alarms_per_week=budget, group=group, missing=missing))


@main.command(
    epilog=_examples(
        "lens-exporter backtest --watcher host --from -14d",
        "lens-exporter backtest --config.file lens.yml --watcher checkout --from 2026-11-01 --to 2026-11-15 --plot checkout.png",
        "lens-exporter backtest --watcher host --from -7d --incidents incidents.csv --format json",
    )
)
@click.option("--watcher", "name", required=True, help="Which one.")
@click.option(
    "--from", "begin", required=True, help='A time like 2026-11-20T14:00:00Z (UTC without zone), Unix seconds, or "-14d".'
)
@click.option("--to", "end", default="now", show_default=True, help="As --from.")
@click.option("--every", help="Leave out ticks that are closer together, like 5m: quicker, and alerts begin that much later.")
@click.option(
    "--incidents",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV, YAML or JSON with start, end and, if known, name and matchers: were they caught, and how soon?",
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw it: .png, .svg or .pdf (needs lens-exporter[plot])."
)
@click.option("--ignore-expected", is_flag=True, help="As if nobody had declared anything to be expected.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_CONFIG
def backtest(
    name: str,
    begin: str,
    end: str,
    every: str | None,
    incidents: Path | None,
    plot: Path | None,
    form: str,
    config_file: Path | None,
    *,
    ignore_expected: bool,
) -> None:
    """Replay a watcher over its history: which alerts would have fired? Alerts nobody and stores nothing."""
    from lens_exporter.replay.backtest.command import Request  # noqa: PLC0415
    from lens_exporter.replay.backtest.command import backtest as go_back  # noqa: PLC0415
    from lens_exporter.replay.moments import span_of  # noqa: PLC0415

    _quiet_logs()
    try:
        span = span_of(begin, end, every, time.time())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    go_back(config_file, Request(name, span, incidents, plot, as_json=form == "json", ignore_expected=ignore_expected))


@main.group()
def rules() -> None:
    """Write rules for your own ruler, so that alerts go on when lens-exporter does not."""


@rules.command(
    "baseline",
    epilog=_examples(
        "lens-exporter rules baseline --watcher host --output lens-host.yml",
        "lens-exporter rules baseline --watcher checkout --config.file lens.yml --for mimir",
    ),
)
@click.option("--watcher", "name", required=True, help="Whose metrics.")
@click.option(
    "--for",
    "engine",
    type=click.Choice(["prometheus", "mimir", "thanos", "victoriametrics"]),
    default="prometheus",
    show_default=True,
    help="Whose ruler evaluates them.",
)
@click.option(
    "--alerts",
    "when",
    type=click.Choice(["when-lens-is-down", "always", "never"]),
    default="when-lens-is-down",
    show_default=True,
    help="When they may fire; always needs an inhibition rule in Alertmanager (docs/how-to/rules.md).",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to.  [default: standard output]")
@_CONFIG
def rules_baseline(name: str, engine: str, when: str, output: Path | None, config_file: Path | None) -> None:
    """Write recording rules of what is normal for a watcher's metrics, and alerts close to its own."""
    from lens_exporter.rules.alerts import When  # noqa: PLC0415
    from lens_exporter.rules.command import baseline  # noqa: PLC0415
    from lens_exporter.rules.document import Ruler  # noqa: PLC0415

    _quiet_logs()
    baseline(config_file, name, engine=Ruler(engine), when=When(when), output=output, write=lambda text: click.echo(text, nl=False))


@main.command(epilog=_examples("lens-exporter demo", "KEEP=1 lens-exporter demo"))
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave everything running at the end and print the addresses.")
def demo(*, keep: bool) -> None:
    """Show the whole loop on this machine: real servers, a program that really leaks, every hop as it happens."""
    from lens_exporter.demo.run import run_demo  # noqa: PLC0415

    sys.exit(run_demo(keep=keep))


if __name__ == "__main__":
    main(prog_name="lens-exporter")
