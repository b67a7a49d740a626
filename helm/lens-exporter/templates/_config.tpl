{{- define "lens-exporter.sqlite" -}}
{{- if not (hasPrefix "postgresql" (default "" .Values.config.database_url)) }}true{{ end -}}
{{- end -}}

{{- /* lens.yml: what is given, with the database on the volume and the tokens of `web`. */ -}}
{{- define "lens-exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if not $config.database_url }}{{ $_ := set $config "database_url" "sqlite:////var/lib/lens-exporter/lens.db" }}{{ end -}}
{{- if not (regexMatch "^(sqlite|postgresql)[:+]" $config.database_url) -}}
{{- fail (printf "config.database_url begins with %q: lens-exporter takes sqlite:// and postgresql://" (regexFind "^[^:]*" $config.database_url)) -}}
{{- end -}}
{{- $web := default dict $config.web -}}
{{- range $key, $value := dict "listen_address" "containerPort" "telemetry_path" "web.telemetryPath" "external_url" "web.externalUrl" "config_file" "web.configFile" "allow_unauthenticated" "web.allowUnauthenticated" -}}
{{- if hasKey $web $key }}{{ fail (printf "config.web.%s: the chart says this by a flag, which would win: give %s instead" $key $value) }}{{ end -}}
{{- end -}}
{{- $tokens := default list $web.tokens -}}
{{- range .Values.web.tokens -}}
{{- $file := printf "/etc/lens-exporter/tokens/%s/%s" .name .key -}}
{{- $tokens = append $tokens (dict "name" .name "scopes" .scopes "token_file" $file) -}}
{{- end -}}
{{- if $tokens }}{{ $_ := set $web "tokens" $tokens }}{{ end -}}
{{- if $web }}{{ $_ := set $config "web" $web }}{{ end -}}
{{- $text := toYaml $config -}}
{{- range regexFindAll "/etc/lens-exporter/secrets/[^/\\s\"',}]+" $text -1 | uniq -}}
{{- if not (hasKey $.Values.secrets (base .)) -}}
{{- fail (printf "config names a file in %s, but secrets.%s.existingSecret is missing" . (base .)) -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- /* Whether it may listen though nobody is asked who they are: only because that is said (docs/decisions/0017-the-chart-asks-who-may-call.md). */ -}}
{{- define "lens-exporter.open" -}}
{{- $web := default dict .Values.config.web -}}
{{- if and .Values.existingConfigMap .Values.web.allowUnauthenticated -}}
{{- fail (printf "web.allowUnauthenticated: %s is your own, say it there: web: {allow_unauthenticated: true}" .Values.existingConfigMap) -}}
{{- else if .Values.web.allowUnauthenticated -}}
true
{{- else if not (or .Values.web.tokens .Values.web.configFile.existingSecret $web.tokens .Values.existingConfigMap) -}}
{{- fail (include "lens-exporter.whoMayCall" .) -}}
{{- end -}}
{{- end -}}

{{- define "lens-exporter.whoMayCall" -}}
nobody would be asked who they are, and whoever reaches the port could change everything. The shortest way to say who may call:

  kubectl -n {{ include "lens-exporter.namespace" . }} create secret generic lens-web --from-literal=webhook=$(openssl rand -hex 32) --from-literal=scrape=$(openssl rand -hex 32)

and these values:

  web:
    tokens:
      - {name: alertmanager, existingSecret: lens-web, key: webhook, scopes: [webhook]}
      - {name: prometheus, existingSecret: lens-web, key: scrape, scopes: [read]}

Or give web.configFile.existingSecret; or say web.allowUnauthenticated: true, where a proxy or an enforced network policy decides who comes in
{{- end -}}

{{- /* The namespace an address inside the cluster names: prometheus.monitoring.svc:9090 -> monitoring; a bare name -> ours. */ -}}
{{- define "lens-exporter.namespaceOf" -}}
{{- $host := regexReplaceAll ":\\d+$" (urlParse .url).host "" -}}
{{- if regexMatch "\\.svc(\\.|$)" $host -}}
{{- regexReplaceAll "\\.svc(\\..*)?$" $host "" | splitList "." | last -}}
{{- else if not (or (contains "." $host) (hasPrefix "[" $host)) -}}
{{- include "lens-exporter.namespace" .root -}}
{{- end -}}
{{- end -}}

{{- define "lens-exporter.portOf" -}}
{{- $url := urlParse . -}}
{{- if regexMatch ":\\d+$" $url.host -}}
{{- regexFind "\\d+$" $url.host -}}
{{- else -}}
{{- ternary "443" "80" (eq $url.scheme "https") -}}
{{- end -}}
{{- end -}}

{{- /* Addresses by what they are of, as YAML: {prometheus: [...], alertmanager: [...], ...}; only what is configured. */ -}}
{{- define "lens-exporter.urls" -}}
{{- $config := .Values.config -}}
{{- $urls := dict "prometheus" (list (default "http://localhost:9090" (default dict $config.prometheus).url)) -}}
{{- $sources := list -}}
{{- range $config.datasources }}{{ $sources = append $sources .url }}{{ end -}}
{{- with $sources }}{{ $_ := set $urls "datasources" . }}{{ end -}}
{{- with (default dict $config.alertmanager).urls }}{{ $_ := set $urls "alertmanager" . }}{{ end -}}
{{- with $config.grafana }}{{ $_ := set $urls "grafana" (list .url) }}{{ end -}}
{{- with $config.otlp_endpoint }}{{ $_ := set $urls "otlp" (list .) }}{{ end -}}
{{- if not (include "lens-exporter.sqlite" .) }}{{ $_ := set $urls "database" (list $config.database_url) }}{{ end -}}
{{- $models := list -}}
{{- range (default dict $config.llm).clients -}}
{{- if ne .provider "offline" }}{{ $models = append $models (default "https://internet" (default dict .options).base_url) }}{{ end -}}
{{- end -}}
{{- with $models }}{{ $_ := set $urls "model" . }}{{ end -}}
{{- toYaml $urls -}}
{{- end -}}

{{- /* Whether Erlang nodes are named: under lenses.beam, or by a watcher of the lens beam, in its short or long form. */ -}}
{{- define "lens-exporter.beam" -}}
{{- $named := not (empty (default dict .Values.config.lenses).beam) -}}
{{- range .Values.config.watchers -}}
{{- $options := default dict .options -}}
{{- if kindIs "map" .beam }}{{ $options = .beam }}{{ end -}}
{{- if or $options.nodes $options.dns $options.epmd }}{{ $named = true }}{{ end -}}
{{- end -}}
{{- if $named }}true{{ end -}}
{{- end -}}
