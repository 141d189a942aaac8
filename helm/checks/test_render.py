"""Every entry of the matrix renders, and Kubernetes would take what comes out."""

import json
import unittest

import helm_python
import jsonschema
import kubernetes_validate

from chart import CASES, CHART, ROOT, SERVICES, config, objects, of_kind, pods, rendered, values

# The oldest that the chart is for, one between, the newest.
KUBERNETES = ("1.30.0", "1.33.0", "1.37.0")
CRDS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "helm" / "checks" / "crds").glob("*.json")}
NAMES = [path.name.removesuffix("-values.yaml") for path in CASES]


class Matrix(unittest.TestCase):
    def test_lint_finds_nothing(self):
        for case in NAMES:
            with self.subTest(case):
                # The engine counts warnings, too, where it is strict; that there is no icon is none.
                found = helm_python.lint(str(CHART), values(case), strict=True)
                messages = [m["error"] for m in found["messages"] if m["error"] != "icon is recommended"]
                self.assertEqual([], messages + found["errors"])

    def test_kubernetes_takes_every_object(self):
        for case in NAMES:
            for found in objects(case):
                with self.subTest(case, kind=found["kind"], name=found["metadata"]["name"]):
                    if found["kind"] in CRDS:
                        jsonschema.validate(found, CRDS[found["kind"]])
                        continue
                    for version in KUBERNETES:
                        kubernetes_validate.validate(found, version, strict=True)

    def test_names_are_said_once(self):
        for case in NAMES:
            with self.subTest(case):
                names = [(found["kind"], found["metadata"]["name"]) for found in objects(case)]
                self.assertEqual(len(set(names)), len(names), sorted(names))

    def test_all_of_it_is_in_the_matrix(self):
        """No kind of object is left out, and each custom one is a kind that we have the schema of."""
        kinds = {found["kind"] for case in NAMES for found in objects(case)}
        self.assertEqual(set(CRDS), {kind for kind in kinds if kind in CRDS})
        self.assertLessEqual({"Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy"}, kinds)

    def test_the_notes_lead_on(self):
        for case in NAMES:
            with self.subTest(case):
                self.assertIn("helm test muster", rendered(values(case))["NOTES.txt"])


class Pods(unittest.TestCase):
    def test_pod_security_restricted(self):
        for case in NAMES:
            for name, pod in pods(case).items():
                with self.subTest(case, pod=name):
                    spec = pod["spec"]
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual("RuntimeDefault", spec["securityContext"]["seccompProfile"]["type"])
                    self.assertFalse(spec["automountServiceAccountToken"])
                    self.assertFalse(spec["enableServiceLinks"])
                    for container in spec["containers"] + spec.get("initContainers", []):
                        context = container["securityContext"]
                        self.assertFalse(context["allowPrivilegeEscalation"])
                        self.assertEqual(["ALL"], context["capabilities"]["drop"])

    def test_our_containers_cannot_write(self):
        for case in NAMES:
            for name, pod in pods(case).items():
                with self.subTest(case, pod=name):
                    self.assertTrue(pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"])

    def test_a_pod_mounts_what_it_declares(self):
        for case in NAMES:
            for name, pod in pods(case).items():
                with self.subTest(case, pod=name):
                    volumes = [volume["name"] for volume in pod["spec"].get("volumes", [])]
                    mounts = [mount["name"] for mount in pod["spec"]["containers"][0].get("volumeMounts", [])]
                    self.assertEqual(sorted(volumes), sorted(mounts))

    def test_a_pod_has_time_to_end(self):
        """For the pause, for the 25 seconds that a drain may take, and a little. Nothing waits where nobody calls."""
        self.assertIn(
            "const DRAIN_MAX: Duration = Duration::from_secs(25);", (ROOT / "runtime/src/supervise.rs").read_text()
        )
        pauses = {}
        for name, pod in pods("minimal").items():
            if name.startswith("Deployment"):
                container = pod["spec"]["containers"][0]
                pauses[name] = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
                self.assertGreater(pod["spec"]["terminationGracePeriodSeconds"], pauses[name] + 30)
        self.assertEqual(
            [5, 5, 0], [pauses[f"Deployment muster-{name}"] for name in ("control-plane", "gateway", "sender-node")]
        )

    def test_only_readiness_waits_for_others(self):
        """A process that cannot reach what it needs is not made better by being killed."""
        for name, pod in pods("minimal").items():
            if name.startswith("Deployment"):
                container = pod["spec"]["containers"][0]
                asked = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
                self.assertEqual(["/livez", "/livez", "/readyz"], asked)

    def test_other_settings_are_other_pods(self):
        def checksum(given):
            text = rendered(given)["deployments.yaml"]
            return [line for line in text.splitlines() if "checksum/config" in line]

        changed = values("minimal")
        changed["gateway"] = {"settings": {"threads": 2}}
        before, after = checksum(values("minimal")), checksum(changed)
        self.assertEqual(1, sum(old != new for old, new in zip(before, after, strict=True)))

    def test_no_secret_is_in_what_is_rendered(self):
        """Secrets are referred to, so there is none among the objects."""
        for case in NAMES:
            self.assertEqual({}, of_kind(case, "Secret"))


class Config(unittest.TestCase):
    """What services are told is kept under rendered/: reviewers see what a change of the chart does to it, and the
    tests in tests/it/chart.rs let the services themselves read it. `python3 helm/checks/write.py` writes it anew."""

    def test_what_is_kept_is_what_is_rendered(self):
        for case in ("minimal", "everything"):
            for service in SERVICES:
                with self.subTest(case, service=service):
                    kept = ROOT / "helm" / "checks" / "rendered" / case / f"{service}.toml"
                    self.assertTrue(kept.exists(), f"run helm/checks/write.py: there is no {kept.name} of {case}")
                    self.assertEqual(kept.read_text(), config(case, service) + "\n", "run helm/checks/write.py")


class Monitoring(unittest.TestCase):
    def test_a_service_monitor_finds_one_service_each(self):
        for case in ("production", "everything"):
            services = of_kind(case, "Service").values()
            for name, monitor in of_kind(case, "ServiceMonitor").items():
                with self.subTest(case, monitor=name):
                    wanted = monitor["spec"]["selector"]["matchLabels"].items()
                    found = [one["metadata"]["name"] for one in services if wanted <= one["metadata"]["labels"].items()]
                    self.assertEqual([f"{name}-admin"], found)

    def test_prometheus_finds_what_it_is_told_to(self):
        for kind in ("ServiceMonitor", "PrometheusRule"):
            for found in of_kind("production", kind).values():
                self.assertEqual("prometheus", found["metadata"]["labels"]["release"])


class Scaling(unittest.TestCase):
    def test_keda_sums_the_lag_of_all_shards(self):
        scaled = of_kind("keda", "ScaledObject")["muster-sender-node"]["spec"]
        shards = [trigger for trigger in scaled["triggers"] if trigger["type"] == "nats-jetstream"]
        self.assertEqual([f"shard-{n}" for n in range(32)], [shard["metadata"]["consumer"] for shard in shards])
        self.assertEqual(
            {
                "natsServerMonitoringEndpoint": "nats-headless.nats.svc:8222",
                "account": "MUSTER",
                "stream": "MUSTER_WORK",
                "consumer": "shard-0",
                "lagThreshold": "32",
                "useHttps": "false",
            },
            shards[0]["metadata"],
        )
        # A hyphen in a name would be a minus in the formula.
        self.assertEqual(
            [shard["name"] for shard in shards], scaled["advanced"]["scalingModifiers"]["formula"].split(" + ")
        )

    def test_the_shards_are_those_of_the_services(self):
        topology = (ROOT / "runtime" / "src" / "topology.rs").read_text()
        for said in ("pub const SHARDS: u16 = 32;", 'format!("shard-{shard}")', 'self.stream("WORK")'):
            self.assertIn(said, topology, "the ScaledObject in helm/muster/templates/keda.yaml must follow")

    def test_who_is_scaled_has_no_number_of_pods(self):
        deployments = of_kind("keda", "Deployment").values()
        self.assertEqual([], [found["metadata"]["name"] for found in deployments if "replicas" in found["spec"]])

    def test_a_single_pod_may_be_evicted(self):
        self.assertNotIn("muster-texts-gateway", of_kind("everything", "PodDisruptionBudget"))
        self.assertIn("muster-texts-control-plane", of_kind("everything", "PodDisruptionBudget"))


class Migration(unittest.TestCase):
    def test_the_owner_of_the_schema_is_known_to_the_migration_alone(self):
        for case in NAMES:
            for name, pod in pods(case).items():
                with self.subTest(case, pod=name):
                    knows = "OWNER_URL" in json.dumps(pod)
                    self.assertEqual(name.startswith("Job"), knows)

    def test_a_hook_needs_nothing_of_the_chart(self):
        """It runs before the chart's own ConfigMaps, ServiceAccounts and certificates are there."""
        job = json.dumps(of_kind("production", "Job")["muster-migrate"])
        for word in ("configMap", "serviceAccountName", "-internal"):
            self.assertNotIn(word, job)

    def test_a_plain_job_has_the_name_of_its_image(self):
        def name(tag):
            given = values("argo")
            given["image"]["tag"] = tag
            text = rendered(given)["migration.yaml"]
            return next(line for line in text.splitlines() if line.startswith("  name:"))

        self.assertNotEqual(name("1.0.0"), name("1.0.1"))
        self.assertEqual(name("1.0.0"), name("1.0.0"))
        self.assertNotIn("helm.sh/hook", json.dumps(of_kind("argo", "Job")))

    def test_none_is_none(self):
        given = values("minimal")
        given["migration"] = {"mode": "none"}
        self.assertEqual("", rendered(given)["migration.yaml"].strip())


if __name__ == "__main__":
    unittest.main()
