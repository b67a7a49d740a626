{{- /* How a ServiceMonitor or a PodMonitor scrapes. */ -}}
{{- define "lens-exporter.endpoint" -}}
{{- $web := .root.Values.web -}}
{{- with .monitor -}}
port: http
path: {{ $web.telemetryPath }}
scheme: {{ $web.scheme }}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: {{ .honorLabels }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $token := include "lens-exporter.tokenFor" (dict "root" $.root "scope" "read") | fromYaml }}
{{- if .basicAuth }}
basicAuth:
  {{- toYaml .basicAuth | nindent 2 }}
{{- else if .authorization }}
authorization:
  {{- toYaml .authorization | nindent 2 }}
{{- else if $token }}
authorization:
  credentials:
    name: {{ $token.existingSecret }}
    key: {{ $token.key }}
{{- end }}
{{- end -}}
{{- end -}}
