{{- define "lens-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lens-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "lens-exporter.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "lens-exporter.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "lens-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "lens-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lens-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lens-exporter.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/part-of" .Chart.Name -}}
{{- mergeOverwrite (deepCopy .Values.commonLabels) $own (include "lens-exporter.selectorLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* What every object has: give (dict "root" $ "labels" ... "annotations" ... "name" ... "namespace" ...); all but root may be left out. */ -}}
{{- define "lens-exporter.metadata" -}}
name: {{ default (include "lens-exporter.fullname" .root) .name }}
namespace: {{ default (include "lens-exporter.namespace" .root) .namespace }}
labels:
  {{- mergeOverwrite (deepCopy (default dict .labels)) (include "lens-exporter.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "lens-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lens-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "lens-exporter.image" -}}
{{- $repository := .Values.image.repository -}}
{{- with .Values.image.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "lens-exporter.externalUrl" -}}
{{- if .Values.web.externalUrl -}}
{{- .Values.web.externalUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tls))) (first .Values.ingress.hosts).host -}}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
{{- printf "https://%s" (first .Values.httpRoute.hostnames) -}}
{{- end -}}
{{- end -}}

{{- /* The handler of a probe: the one given, else a GET of `path`. */ -}}
{{- define "lens-exporter.probe" -}}
{{- $given := .probe -}}
{{- if not (or $given.httpGet $given.exec $given.tcpSocket $given.grpc) -}}
{{- $get := dict "path" .path "port" "http" -}}
{{- if eq .root.Values.web.scheme "https" }}{{ $_ := set $get "scheme" "HTTPS" }}{{ end -}}
{{- $given = merge (dict "httpGet" $get) $given -}}
{{- end -}}
{{- toYaml $given -}}
{{- end -}}

{{- /* The first token with a scope, as YAML; nothing when there is none. */ -}}
{{- define "lens-exporter.tokenFor" -}}
{{- $found := dict -}}
{{- range .root.Values.web.tokens -}}
{{- if and (has $.scope .scopes) (not $found) }}{{ $found = . }}{{ end -}}
{{- end -}}
{{- with $found }}{{ toYaml . }}{{ end -}}
{{- end -}}
