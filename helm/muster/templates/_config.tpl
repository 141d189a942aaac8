{{/*
What each service is told (docs/configuration.md). What is not secret is a TOML file in a ConfigMap; what is secret comes
from your secrets, as variables or as files.
*/}}

{{/* The ports that the services listen on. */}}
{{- define "muster.ports" -}}
api: 7400
internal: 7401
admin: 7411
webhooks: 7421
events: 7431
{{- end }}

{{- define "muster.listen" -}}
{{- $ports := include "muster.ports" (index . 0) | fromYaml -}}
{{- printf "%s:%d" (index . 0).Values.listenAddress (int (index $ports (index . 1))) -}}
{{- end }}

{{/* Files of a certificate that we show, mounted at a folder: (list folder withAuthorities). */}}
{{- define "muster.serverFiles" -}}
certificate: {{ index . 0 }}/tls.crt
key: {{ index . 0 }}/tls.key
{{- if index . 1 }}
client_ca: {{ index . 0 }}/ca.crt
{{- end }}
{{- end }}

{{/* Files with which we call a server: (list folder values), the values being `database.tls` or `nats.tls`. */}}
{{- define "muster.clientFiles" -}}
ca: {{ index . 0 }}/{{ (index . 1).caKey }}
{{- if (index . 1).clientCertificate }}
certificate: {{ index . 0 }}/tls.crt
key: {{ index . 0 }}/tls.key
{{- end }}
{{- end }}

{{- define "muster.listenerConfig" -}}
listen: {{ include "muster.listen" . | quote }}
{{- $tls := (index (index . 0).Values.listeners (index . 1)).tls }}
{{- if $tls.existingSecret }}
tls:
  {{- include "muster.serverFiles" (list (printf "/etc/muster/%s" (index . 1)) $tls.clientCa) | nindent 2 }}
{{- end }}
{{- end }}

{{/* All that the chart decides for a service: (list $ "gateway"). */}}
{{- define "muster.decided" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
public_base_url: {{ $values.publicBaseUrl | quote }}
admin:
  listen: {{ include "muster.listen" (list $root "admin") | quote }}
nats:
  {{- if not $values.nats.existingSecret.name }}
  url: {{ $values.nats.url | quote }}
  {{- end }}
  prefix: {{ $values.nats.prefix | quote }}
  replicas: {{ $values.nats.replicas }}
  {{- if $values.nats.tls.existingSecret }}
  tls:
    {{- include "muster.clientFiles" (list "/etc/muster/nats" $values.nats.tls) | nindent 4 }}
  {{- end }}
{{- if ne (index . 1) "senderNode" }}
media:
  store: {{ $values.media.store | quote }}
  {{- with $values.media.options }}
  store_options:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if eq (index . 1) "controlPlane" }}
api:
  {{- include "muster.listenerConfig" (list $root "api") | nindent 2 }}
internal:
  listen: {{ include "muster.listen" (list $root "internal") | quote }}
  tls:
    {{- include "muster.serverFiles" (list "/etc/muster/internal" true) | nindent 4 }}
kek:
  current: {{ $values.kek.current | quote }}
  folder: /etc/muster/kek
{{- if $values.database.tls.existingSecret }}
database:
  tls:
    {{- include "muster.clientFiles" (list "/etc/muster/database" $values.database.tls) | nindent 4 }}
{{- end }}
{{- if $values.oidc.ca.existingSecret }}
oidc:
  ca: /etc/muster/oidc/{{ $values.oidc.ca.key }}
{{- end }}
{{- else }}
control_plane:
  url: {{ printf "https://%s:7401" (include "muster.controlPlaneHost" $root) | quote }}
  tls:
    ca: /etc/muster/internal/ca.crt
    {{- include "muster.serverFiles" (list "/etc/muster/internal" false) | nindent 4 }}
{{- end }}
{{- if eq (index . 1) "gateway" }}
webhooks:
  {{- include "muster.listenerConfig" (list $root "webhooks") | nindent 2 }}
grpc:
  listen: {{ include "muster.listen" (list $root "events") | quote }}
  {{- if $values.listeners.events.tls.existingSecret }}
  tls:
    {{- include "muster.serverFiles" (list "/etc/muster/events" $values.listeners.events.tls.clientCa) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A map as TOML with dotted names, in order: (list prefix map). JSON's scalars and lists are TOML's, too. */}}
{{- define "muster.toml" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- if kindIs "map" $value }}
{{- include "muster.toml" (list (printf "%s%s." $prefix $name) $value) }}
{{- else if not (kindIs "invalid" $value) }}
{{ printf "%s%s = %s" $prefix $name (toJson $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A service's configuration: (list $ "gateway" values). What the chart decides stays. */}}
{{- define "muster.config" -}}
{{- $decided := include "muster.decided" . | fromYaml -}}
{{- include "muster.toml" (list "" (mustMergeOverwrite (deepCopy (index . 2).settings) $decided)) | trim -}}
{{- end }}

{{/* The variables that come from secrets. */}}
{{- define "muster.secretEnv" -}}
{{- $values := (index . 0).Values -}}
{{- if eq (index . 1) "controlPlane" }}
{{- include "muster.fromSecret" (list "MUSTER_DATABASE__APP_URL" $values.database.existingSecret.name $values.database.existingSecret.appUrlKey) }}
{{- include "muster.fromSecret" (list "MUSTER_DATABASE__SYSTEM_URL" $values.database.existingSecret.name $values.database.existingSecret.systemUrlKey) }}
{{- include "muster.fromSecret" (list "MUSTER_OPERATOR_KEY" $values.operatorKey.existingSecret.name $values.operatorKey.existingSecret.key) }}
{{- end }}
{{- if $values.nats.existingSecret.name }}
{{- include "muster.fromSecret" (list "MUSTER_NATS__URL" $values.nats.existingSecret.name (index $values.nats.existingSecret (printf "%sUrlKey" (index . 1)))) }}
{{- end }}
{{- end }}

{{- define "muster.fromSecret" }}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }}}
{{- end }}

{{/* The secrets that a service mounts under /etc/muster, by the folder's name. */}}
{{- define "muster.mountedSecrets" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
internal: {{ include "muster.internalSecret" . | quote }}
nats: {{ $values.nats.tls.existingSecret | quote }}
{{- if eq (index . 1) "controlPlane" }}
api: {{ $values.listeners.api.tls.existingSecret | quote }}
database: {{ $values.database.tls.existingSecret | quote }}
kek: {{ $values.kek.existingSecret | quote }}
oidc: {{ $values.oidc.ca.existingSecret | quote }}
{{- else if eq (index . 1) "gateway" }}
events: {{ $values.listeners.events.tls.existingSecret | quote }}
webhooks: {{ $values.listeners.webhooks.tls.existingSecret | quote }}
{{- end }}
{{- end }}
