{{/* Names and labels. Services are known by the keys of their values: controlPlane, senderNode, gateway. */}}

{{- define "muster.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* "control-plane" for "controlPlane" */}}
{{- define "muster.kebab" -}}
{{- kebabcase . -}}
{{- end }}

{{/* The name of what belongs to a service: (list $ "senderNode"). */}}
{{- define "muster.name" -}}
{{- printf "%s-%s" (include "muster.fullname" (index . 0)) (kebabcase (index . 1)) -}}
{{- end }}

{{/* What selects a service's pods. Never changes. */}}
{{- define "muster.selector" -}}
app.kubernetes.io/name: {{ default (index . 0).Chart.Name (index . 0).Values.nameOverride }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ kebabcase (index . 1) }}
{{- end }}

{{/* All labels of what belongs to a service, or to "release". */}}
{{- define "muster.labels" -}}
{{ include "muster.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/part-of: muster
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version | replace "+" "_" }}
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The head of an object: (list $ "gateway" name annotations), and more labels where it has some. */}}
{{- define "muster.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "muster.labels" (list $root (index . 1)) | nindent 2 }}
  {{- with (slice . 4) }}
  {{- with first . }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
{{- with merge (dict) (index . 3) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A service's values: its own over those of all. */}}
{{- define "muster.service" -}}
{{- $root := index . 0 -}}
{{- mustMergeOverwrite (deepCopy $root.Values.defaults) (deepCopy (index $root.Values (index . 1))) | toYaml -}}
{{- end }}

{{/* The image of a service, of its values. */}}
{{- define "muster.image" -}}
{{- $root := index . 0 -}}
{{- $image := (index . 1).image -}}
{{- $tag := coalesce $image.tag $root.Values.image.tag $root.Chart.AppVersion -}}
{{- printf "%s/%s:%s" (trimSuffix "/" $root.Values.image.registry) $image.repository $tag -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* The fewest pods that a service has: (list "senderNode" values). */}}
{{- define "muster.replicasMin" -}}
{{- $values := index . 1 -}}
{{- if (dig "keda" "enabled" false $values) -}}
{{- int $values.keda.minReplicas -}}
{{- else if $values.autoscaling.enabled -}}
{{- int $values.autoscaling.minReplicas -}}
{{- else -}}
{{- int $values.replicas -}}
{{- end -}}
{{- end }}

{{/* The host of the control-plane's internal listener, which its certificate names. */}}
{{- define "muster.controlPlaneHost" -}}
{{- printf "%s.%s.svc" (include "muster.name" (list . "controlPlane")) .Release.Namespace -}}
{{- end }}

{{/* The secret with a service's certificate for our own processes. */}}
{{- define "muster.internalSecret" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.internalTls.certManager.enabled -}}
{{- printf "%s-internal" (include "muster.name" .) -}}
{{- else -}}
{{- index $root.Values.internalTls.existingSecrets (index . 1) -}}
{{- end -}}
{{- end }}
