{{- /* Where one address is, as a list of peers. */ -}}
{{- define "lens-exporter.peers" -}}
{{- $host := regexReplaceAll ":\\d+$" (urlParse .url).host "" | splitList "@" | last -}}
{{- $namespace := include "lens-exporter.namespaceOf" . -}}
{{- $numbers := regexMatch "^\\d+\\.\\d+\\.\\d+\\.\\d+$" $host -}}
{{- if and (eq .target "model") (or (eq $host "internet") (not (or $namespace $numbers))) -}}
{{- include "lens-exporter.internet" . -}}
{{- else if $numbers -}}
{{- list (dict "ipBlock" (dict "cidr" (printf "%s/32" $host))) | toYaml -}}
{{- else if $namespace -}}
{{- $pods := dict -}}
{{- with .podLabels }}{{ $_ := set $pods "matchLabels" . }}{{ end -}}
{{- list (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" $namespace)) "podSelector" $pods) | toYaml -}}
{{- else -}}
{{- fail (printf "%s is outside the cluster: networkPolicy.egress.%s.to must say where it is, such as [{ipBlock: {cidr: 192.0.2.7/32}}]" $host .target) -}}
{{- end -}}
{{- end -}}

{{- /* Every address that is not of a private network, nor of the machine itself: a policy cannot name hosts of the internet. */ -}}
{{- define "lens-exporter.internet" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
- ipBlock:
    cidr: ::/0
    except: ["::1/128", "fc00::/7", "fe80::/10"]
{{- end -}}

{{- /* A rule for each address, so that the port of one opens no other; one rule for all of a target where it is said where they are. */ -}}
{{- define "lens-exporter.outward" -}}
{{- $rules := list -}}
{{- range $target := list "prometheus" "datasources" "alertmanager" "grafana" "database" "model" "otlp" -}}
{{- $given := get $.root.Values.networkPolicy.egress $target -}}
{{- $urls := default list (get $.urls $target) -}}
{{- if $given.to -}}
{{- if not (or $given.ports $urls) -}}
{{- fail (printf "networkPolicy.egress.%s.ports must say which: no address is known that has one, and a rule without ports opens all" $target) -}}
{{- end -}}
{{- $rules = append $rules (dict "to" $given.to "ports" (include "lens-exporter.ports" (dict "given" $given.ports "urls" $urls) | fromYamlArray)) -}}
{{- else -}}
{{- range $url := $urls -}}
{{- $peers := include "lens-exporter.peers" (dict "root" $.root "target" $target "url" $url "podLabels" $given.podLabels) | fromYamlArray -}}
{{- $rules = append $rules (dict "to" $peers "ports" (include "lens-exporter.ports" (dict "given" $given.ports "urls" (list $url)) | fromYamlArray)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $rules | uniq | toYaml -}}
{{- end -}}

{{- define "lens-exporter.ports" -}}
{{- $ports := list -}}
{{- range .urls }}{{ $ports = append $ports (include "lens-exporter.portOf" . | int) }}{{ end -}}
{{- range default $ports .given | uniq }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end -}}

{{- /* Who scrapes and who brings alerts: as it is said of each, else Prometheus and Alertmanager where the configuration says they are. */ -}}
{{- define "lens-exporter.callers" -}}
{{- $peers := list -}}
{{- range $caller := list "prometheus" "alertmanager" -}}
{{- $given := get $.root.Values.networkPolicy.ingress $caller -}}
{{- if $given.from -}}
{{- $peers = concat $peers $given.from -}}
{{- else -}}
{{- range default list (get $.urls $caller) -}}
{{- $namespace := include "lens-exporter.namespaceOf" (dict "root" $.root "url" .) -}}
{{- if not $namespace -}}
{{- fail (printf "%s names no pods: networkPolicy.ingress.%s.from must say where %s calls from, or networkPolicy.ingress.from who may connect at all" . $caller $caller) -}}
{{- end -}}
{{- $peers = append $peers (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" $namespace)) "podSelector" (dict "matchLabels" $given.podLabels)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $peers -}}
{{- fail "networkPolicy.ingress.prometheus.from and .alertmanager.from must say who scrapes and who brings alerts: the chart cannot read it off your ConfigMap" -}}
{{- end -}}
{{- $peers | uniq | toYaml -}}
{{- end -}}
