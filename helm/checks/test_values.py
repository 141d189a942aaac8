"""What is wrong is refused with a word that helps, and everything that can be said is written down."""

import copy
import json
import re
import tomllib
import unittest

import yaml

from chart import CHART, ROOT, config, of_kind, pods, refusal, values
from readme import BEGIN, END, rows, table

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SETTINGS = {
    "control-plane": ("## Control-plane", "controlPlane"),
    "sender-node": ("## Sender node", "senderNode"),
    "gateway": ("## Gateway", "gateway"),
}
# Values of which the defaults name nothing or not all.
OPEN = {
    "global",  # Helm's own
    "controlPlane",
    "senderNode",
    "gateway",  # as `defaults`
    "defaults.keda",
    "defaults.settings",
    "defaults.probes.startup",
    "defaults.probes.liveness",
    "defaults.probes.readiness",
    "internalTls.certManager.issuerRef",
}
# Settings with names of others in them.
NAMES_OF_OTHERS = {"media.store_options"}
# Settings that the chart does not offer, each with its reason.
NOT_OFFERED = {
    "kek.keys": "keys are files of kek.existingSecret",
    "node": "pods must not share a name; each makes its own",
    "admin.tls.certificate": "Kubernetes' probes go there",
    "admin.tls.key": "Kubernetes' probes go there",
    "admin.tls.client_ca": "Kubernetes' probes go there",
}


def minimal_with(path, value):
    """The minimal values with one more."""
    given = copy.deepcopy(values("minimal"))
    at = given
    *above, last = path.split(".")
    for key in above:
        at = at.setdefault(key, {})
    at[last] = value
    return given


class Refused(unittest.TestCase):
    def refused(self, given, *words):
        said = refusal(given)
        self.assertTrue(said, "it was not refused")
        for word in words:
            self.assertIn(word, said)

    def test_typos_at_every_level(self):
        for path in (
            "databse",
            "image.repositry",
            "database.existingSecret.nmae",
            "controlPlane.replica",
            "senderNode.keda.lagTreshold",
            "gateway.settings.webhooks.conections_max",
            "controlPlane.settings.claim_deadline",
            "listeners.api.ingres",
            "monitoring.rules.runbookUrl",
        ):
            with self.subTest(path):
                parent, _, word = path.rpartition(".")
                self.refused(
                    minimal_with(path, {}), f"additional properties '{word}' not allowed", parent.replace(".", "/")
                )

    def test_wrong_types(self):
        for path, value in (
            ("controlPlane.replicas", "3"),
            ("nats.replicas", 2),
            ("nats.url", "https://nats"),
            ("publicBaseUrl", "hooks.example.com"),
            ("controlPlane.settings.sending_hours.open", "8:00"),
            ("senderNode.settings.call_timeout_s", 30),
            ("kek.current", "K 2026"),
            ("migration.mode", "hooks"),
            ("senderNode.keda.maxReplicas", 33),
            ("controlPlane.keda", {"enabled": True}),
        ):
            with self.subTest(path):
                self.refused(minimal_with(path, value), "/" + path.replace(".", "/"))

    def test_what_is_missing_is_told_all_at_once(self):
        self.refused(
            {},
            "image.registry is required",
            "publicBaseUrl is required",
            "database.existingSecret.name is required",
            "nats.url or nats.existingSecret.name is required",
            "kek.current is required",
            "kek.existingSecret is required",
            "media.store is required",
            "operatorKey.existingSecret.name is required",
            "internalTls.existingSecrets.gateway is required where internalTls.certManager.enabled is false",
        )

    def test_what_does_not_go_together(self):
        keda = {"enabled": True, "natsMonitoring": {"endpoint": "nats:8222"}}
        for given, word in (
            (minimal_with("nats.existingSecret.name", "nats"), "nats.url and nats.existingSecret.name exclude"),
            (minimal_with("nats.url", "nats://me:secret@nats:4222"), "nats.url must not hold credentials"),
            (minimal_with("internalTls.certManager.enabled", True), "exclude each other"),
            (minimal_with("nats.tls.clientCertificate", True), "needs nats.tls.existingSecret"),
            (minimal_with("database.tls.clientCertificate", True), "needs database.tls.existingSecret"),
            (minimal_with("listeners.api.tls.clientCa", True), "needs listeners.api.tls.existingSecret"),
            (minimal_with("listeners.api.ingress.enabled", True), "listeners.api.ingress.host is required"),
            (minimal_with("listeners.events.route.enabled", True), "listeners.events.route needs"),
            (minimal_with("gateway.terminationGracePeriodSeconds", 30), "so that what is under way ends"),
            (minimal_with("gateway.autoscaling", {"enabled": True, "minReplicas": 9}), "more than maxReplicas"),
            (minimal_with("senderNode.keda.enabled", True), "natsMonitoring.endpoint is required"),
            (minimal_with("senderNode", {"keda": keda, "autoscaling": {"enabled": True}}), "exclude each other"),
        ):
            with self.subTest(word):
                self.refused(given, word)

    def test_credentials_are_not_repeated(self):
        self.assertNotIn("hunter2", refusal(minimal_with("nats.url", "nats://me:hunter2@nats:4222")))


class WrittenDown(unittest.TestCase):
    def test_every_value_is_in_the_readme(self):
        text = (CHART / "README.md").read_text()
        self.assertEqual([], rows()[1], "values.yaml has values without a comment")
        self.assertEqual(table(), text.split(BEGIN)[1].split(END)[0].strip(), "run helm/checks/write.py")

    def test_every_value_of_the_schema_has_a_default(self):
        """Otherwise it is not in the table. That each default fits the schema Helm says itself."""
        given = yaml.safe_load((CHART / "values.yaml").read_text())
        self.assertEqual([], list(self.without_default(SCHEMA, given)))

    def without_default(self, schema, value, path=""):
        if path in OPEN:
            return
        while "$ref" in schema or "allOf" in schema:
            schema = schema["allOf"][0] if "allOf" in schema else SCHEMA["definitions"][schema["$ref"].split("/")[2]]
        for name, inner in schema.get("properties", {}).items():
            inside = f"{path}.{name}".lstrip(".")
            if isinstance(value, dict) and name in value:
                yield from self.without_default(inner, value[name], inside)
            elif inside not in OPEN:
                yield inside


class Settings(unittest.TestCase):
    """The chart says or offers every setting that docs/configuration.md has, and no other."""

    def documented(self, section):
        page = (ROOT / "docs" / "configuration.md").read_text()
        after = page.split(f"\n{section}\n")[1].split("\n## ")[0]
        return set(re.findall(r"^\| `([a-z_.]+)` \|", after, re.MULTILINE))

    def offered(self, key, prefix="", schema=None):
        schema = schema or SCHEMA["definitions"][f"{key}Settings"]
        found = set()
        for name, inner in schema["properties"].items():
            found |= self.offered(key, f"{prefix}{name}.", inner) if "properties" in inner else {prefix + name}
        return found

    def said(self, service):
        def flat(table, prefix=""):
            for name, value in table.items():
                deeper = isinstance(value, dict) and prefix + name not in NAMES_OF_OTHERS
                yield from flat(value, f"{prefix}{name}.") if deeper else [prefix + name]

        found = set()
        for case in ("minimal", "everything"):
            found |= set(flat(tomllib.loads(config(case, service))))
            for name, pod in pods(case).items():
                if name.startswith("Deployment") and name.endswith(service):
                    environment = [entry["name"] for entry in pod["spec"]["containers"][0]["env"]]
                    found |= {
                        entry.removeprefix("MUSTER_").lower().replace("__", ".")
                        for entry in environment
                        if entry.startswith("MUSTER_") and entry != "MUSTER_CONFIG"
                    }
        return found

    def test_no_setting_is_out_of_reach(self):
        for service, (section, key) in SETTINGS.items():
            with self.subTest(service):
                reached = self.said(service) | self.offered(key) | set(NOT_OFFERED)
                self.assertEqual(set(), self.documented(section) - reached, "offer it in values.schema.json")

    def test_no_setting_is_invented(self):
        for service, (section, key) in SETTINGS.items():
            with self.subTest(service):
                self.assertEqual(set(), (self.said(service) | self.offered(key)) - self.documented(section))

    def test_everything_sets_whatever_is_offered(self):
        for service, (_, key) in SETTINGS.items():
            with self.subTest(service):
                unset = self.offered(key) - self.said(service)
                self.assertEqual(set(), {name for name in unset if not name.startswith("telemetry.tls.")})

    def test_migrations_are_told_what_they_read(self):
        environment = {
            entry["name"]
            for pod in of_kind("everything", "Job").values()
            for entry in pod["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        said = {name.removeprefix("MUSTER_").lower().replace("__", ".") for name in environment}
        self.assertEqual(self.documented("## Migration") - {"log.filter", "log.json"}, said)


if __name__ == "__main__":
    unittest.main()
