"""What an alert of the rules says. Its templates ask the ruler for the band, so that the first page says what is normal."""

from lens_exporter.baseline.naming import quantity
from lens_exporter.model.duration import duration_text
from lens_exporter.model.labels import selector
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.rules.plan import Plan
from lens_exporter.rules.promql import EXPECTED, UNTIL_FULL, VALUE, WIDTH
from lens_exporter.rules.runbooks import built_in, runbook
from lens_exporter.rules.trend import stretch

# The first of these that a series has names it; none of them is said again behind the name.
_NAMES = ("instance", "pod", "node", "nodename", "host", "hostname", "container", "name", "service", "job")
_SAID = ("__name__", "watcher", "metric", "process", "namespace", "cluster", *_NAMES)
_HUMAN = {"ratio": "humanizePercentage", "seconds": "humanizeDuration"}
_SUFFIX = {"": "", "bytes": "B", "per_second": "/s", "percent": "%"}

# Go templates. `{{-` and `-}}` eat the white space beside them, so that a line may be broken between two of them.
# $series becomes what selects the alert's own series, as further matchers; the names of labels that need quotes are left out.
_SERIES = (
    '{{- $series := "" -}}{{- range $name, $value := $labels -}}'
    '{{- if and (match "^[a-zA-Z_][a-zA-Z0-9_]*$" $name) (not (match "^(__name__|watcher|metric)$" $name)) -}}'
    '{{- $series = printf "%s,%s=%q" $series $name $value -}}{{- end -}}{{- end -}}\n'
)
# "api-7: ", "worker on db-1: ", "db-1 (mountpoint=/var): "; an address keeps its port.
_TARGET = (
    f"{{{{- $target := or {' '.join(f'$labels.{name}' for name in _NAMES)} -}}}}\n"
    '{{- $target = reReplaceAll "^([^0-9:][^:]*):[0-9]+$" "$1" $target -}}'
    '{{- with $labels.process -}}{{- $target = printf "%s on %s" . $target -}}{{- end -}}\n'
    "{{- range $name, $value := $labels -}}"
    f'{{{{- if not (match "^({"|".join(_SAID)})$" $name) -}}}}'
    '{{- $target = printf "%s (%s=%s)" $target $name $value -}}{{- end -}}{{- end -}}\n'
    "{{- with $target -}}{{ . }}: {{ end -}}\n"
)


def annotations(alert: str, metric: BaselineMetric, plan: Plan, *, speaks_for_lens: bool) -> dict[str, str]:
    """Write the templates of one metric's alerts, in the tone of the watcher's own.

    The runbook is the watcher's own, or else the page that comes with a built-in lens; what a user watches has none.
    """
    template = _Template(metric, plan)
    found = {
        "summary": template.summary(),
        "description": template.description(speaks_for_lens=speaks_for_lens),
        "lens_query": template.query(),
    }
    page = runbook(alert) if not plan.foreign and alert in built_in() else ""
    if link := plan.runbook_url or page:
        found["runbook_url"] = _literal(link)
    return found


class _Template:
    """The templates of one metric: what its numbers are, and how the band of one series is asked for."""

    def __init__(self, metric: BaselineMetric, plan: Plan) -> None:
        self._metric, self._plan = metric, plan

    def selector(self, name: str, more: str = "%[1]s") -> str:
        """Select the alert's own series of a recorded metric; `more` is where `$series` goes."""
        fixed = selector({"watcher": self._plan.watcher, "metric": self._metric.name}, metric=name)
        return f"{fixed.removesuffix('}')}{more}}}"

    def query(self) -> str:
        """Select what the alert is about; a label that it does not have is empty, and then selects series without it."""
        return self.selector(VALUE, "".join(f',{name}={{{{ printf "%q" $labels.{name} }}}}' for name in ("instance", "job")))

    def summary(self) -> str:
        """Say what the watcher says: "api-7: memory at 92%; 36% to 48% is normal"."""
        expected, width = (f"last_over_time({self.selector(name)}[{self._recent()}])" for name in (EXPECTED, WIDTH))
        # Where nothing negative is expected, the normal range shows nothing negative.
        lower = f"clamp_min({expected} - {width}, 0) and {expected} >= 0 or {expected} - {width}"
        answer = self._shown(". | first | value")
        return (
            f"{_SERIES}{_TARGET}"
            f"{_literal(quantity(self._metric))} at {self._shown('$value')};\n"
            f"{_asked(lower, f' {answer} to ')}\n"
            f"{_asked(f'{expected} + {width}', f'{answer} is normal', ' no normal range is known yet')}"
        )

    def description(self, *, speaks_for_lens: bool) -> str:
        """Say how long, whether it is at its ceiling, when it is full, and who says so."""
        metric, plan = self._metric, self._plan
        said = f"Outside its band or limits for {duration_text(2 * plan.step)} or longer."
        if metric.ceiling is not None:
            test, word = ("le", "below") if metric.direction is Direction.DOWN else ("ge", "above")
            level = self._shown(repr(metric.ceiling))
            said += f"\n{{{{- if {test} $value {metric.ceiling!r} }}}} At or {word} {level}.{{{{ end -}}}}"
        if metric.full is not None:
            word = "exhausted" if metric.direction is Direction.DOWN else "full"
            left = "{{ . | first | value | humanizeDuration }}"
            pace = f" At the pace of the last {duration_text(stretch(plan))} it is {word} in {left}."
            said = f"{_SERIES}{said}\n{_asked(self.selector(UNTIL_FULL), pace)}"
        if speaks_for_lens:
            said += (
                f'\n{{{{- "\\n" -}}}}\nSaid by recording rules: lens-exporter has not looked at it for '
                f"{duration_text(plan.silent)}, and nobody investigates."
            )
        return said

    def _recent(self) -> str:
        return duration_text(3 * self._plan.every)

    def _shown(self, value: str) -> str:
        """Show a number in the metric's unit, from an expression of the template language that gives it."""
        unit = self._metric.unit
        if unit in _HUMAN:
            return f"{{{{ {value} | {_HUMAN[unit]} }}}}"
        # humanize writes 0.95 as 950m.
        small, other = '{{ printf "%.3g" $n }}', "{{ humanize $n }}"
        plain = f"{{{{ $n := {value} }}}}{{{{ if lt $n 1.0 }}}}{small}{{{{ else }}}}{other}{{{{ end }}}}"
        return plain + _literal(_SUFFIX.get(unit, f" {unit}"))


def _asked(query: str, said: str, otherwise: str = "") -> str:
    """Say something with the answer of a query about the alert's series, or something else where there is none."""
    other = f"{{{{ else }}}}{otherwise}" if otherwise else ""
    return f"{{{{- with printf `{query}` $series | query }}}}{said}{other}{{{{ end -}}}}"


def _literal(text: str) -> str:
    """Write the user's words, on one line, so that a template engine says them as they are."""
    return text.replace("\n", " ").replace("{{", '{{ "{{" }}')
