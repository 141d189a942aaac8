"""Alerts fire when they should, lead to a page that helps, and like the dashboards ask for metrics that there are."""

import json
import re
import subprocess
import unittest
from functools import lru_cache

import yaml

from chart import CHART, ROOT, of_kind
from metrics import documented, faults
from promtool import promtool

RULES = sorted((CHART / "alerts").glob("*.yaml"))
TESTS = sorted((ROOT / "helm" / "checks" / "alerts").glob("*_test.yaml"))
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks"
# What each page of a runbook says, in this order.
SECTIONS = ["## What it means", "## Look", "## Do"]


@lru_cache(maxsize=None)
def rules():
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


class Alerts(unittest.TestCase):
    def promtool(self, *arguments):
        ended = subprocess.run([promtool(), *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(0, ended.returncode, ended.stdout + ended.stderr)

    def test_prometheus_reads_them(self):
        self.promtool("check", "rules", *RULES)

    def test_they_fire_when_they_should(self):
        self.promtool("test", "rules", *TESTS)

    def test_each_is_seen_to_fire_and_not_to(self):
        fires, quiet = set(), set()
        for path in TESTS:
            for test in yaml.safe_load(path.read_text())["tests"]:
                for case in test["alert_rule_test"]:
                    (fires if case["exp_alerts"] else quiet).add(case["alertname"])
        names = {rule["alert"] for rule in alerts()}
        self.assertEqual(names, fires)
        self.assertEqual(names, quiet)

    def test_each_says_how_urgent_it_is(self):
        for rule in alerts():
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
                self.assertEqual({"summary", "description", "runbook"}, set(rule["annotations"]))

    def test_each_asks_for_metrics_that_there_are(self):
        for rule in rules():
            with self.subTest(rule.get("alert") or rule["record"]):
                self.assertEqual([], faults(rule["expr"]))

    def test_thresholds_are_bounds_of_buckets(self):
        """Otherwise there is no such series, and the alert is never heard of."""
        sources = [ROOT / "runtime/src/telemetry/metrics.rs", *ROOT.glob("*/src/metrics.rs")]
        arrays = [
            a for path in sources for a in re.findall(r"\[f64; \d+\] =\s*\[(.*?)\];", path.read_text(), re.DOTALL)
        ]
        bounds = {float(bound.replace("_", "")) for array in arrays for bound in array.split(",") if bound.strip()}
        for rule in rules():
            for le in re.findall(r'le="([0-9.]+)"', rule["expr"]):
                self.assertIn(float(le), bounds, rule)

    def test_streams_are_not_taken_for_slow_calls(self):
        streams = {
            name
            for path in (ROOT / "proto/muster/v1").glob("*.proto")
            for name in re.findall(r"rpc (\w+)\([^;]*\bstream\b", path.read_text())
        }
        expression = next(r["expr"] for r in rules() if r.get("labels", {}).get("objective") == "api-latency")
        left_out = re.search(r'rpc_method!~"(.*?)"', expression)[1]
        self.assertEqual(set(), {name for name in streams if not re.fullmatch(left_out, f"muster.v1.Any/{name}")})

    def test_each_leads_to_its_page(self):
        for rule in alerts():
            name = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"].removeprefix("Muster")).lower() + ".md"
            with self.subTest(rule["alert"]):
                self.assertEqual(name, rule["annotations"]["runbook"])
                self.assertTrue((RUNBOOKS / name).exists(), f"there is no docs/runbooks/{name}")

    def test_each_page_has_its_alert_and_helps(self):
        index = (RUNBOOKS / "README.md").read_text()
        pages = {rule["annotations"]["runbook"]: rule["alert"] for rule in alerts()}
        there = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
        self.assertEqual(set(pages), there)
        for page, alert in pages.items():
            with self.subTest(page):
                lines = (RUNBOOKS / page).read_text().splitlines()
                self.assertEqual(f"# {alert}", lines[0])
                self.assertEqual(SECTIONS, [line for line in lines if line.startswith("## ")])
                self.assertIn(f"]({page})", index)

    def test_the_chart_installs_them(self):
        installed = of_kind("production", "PrometheusRule")
        found = [rule for one in installed.values() for group in one["spec"]["groups"] for rule in group["rules"]]
        self.assertEqual(len(rules()), len(found))
        for rule in (rule for rule in found if "alert" in rule):
            # "no-sender-nodes.md" of the base that the values name.
            self.assertRegex(
                rule["annotations"]["runbook_url"], r"^https://wiki\.example\.com/muster/runbooks/[a-z-]+\.md$"
            )

    def test_one_can_be_left_out(self):
        installed = json.dumps(of_kind("everything", "PrometheusRule"))
        self.assertNotIn("MusterTelemetryLost", installed)
        self.assertIn("MusterNoSenderNodes", installed)


class Dashboards(unittest.TestCase):
    def expressions(self):
        for path in DASHBOARDS:
            board = json.loads(path.read_text())
            for panel in board["panels"]:
                for target in panel["targets"]:
                    yield path.stem, panel["title"], target["expr"]

    def test_each_asks_for_metrics_that_there_are(self):
        for board, title, expression in self.expressions():
            with self.subTest(board, panel=title):
                self.assertEqual([], faults(expression))

    def test_no_metric_of_ours_is_seen_nowhere(self):
        """On no dashboard and in no alert: then nobody would miss it, and it should go or be shown."""
        shown = "\n".join([expression for _, _, expression in self.expressions()] + [rule["expr"] for rule in rules()])
        ours = {re.sub("_(bucket|sum|count)$", "", name) for name in documented() if name.startswith("muster_")}
        self.assertEqual(set(), {name for name in ours if name not in shown} - UNSEEN)

    def test_the_chart_installs_them(self):
        installed = of_kind("production", "ConfigMap")
        for path in DASHBOARDS:
            found = installed[f"muster-dashboard-{path.stem}"]
            self.assertEqual(json.loads(path.read_text()), json.loads(found["data"][f"muster-{path.name}"]))
            self.assertEqual("1", found["metadata"]["labels"]["grafana_dashboard"])


# Metrics that are there to be looked up, each with its reason.
UNSEEN = {
    "muster_outbox_frames",  # the age says more
    "muster_orders_revived_total",  # follows from other faults
    "muster_receipts_unmatched_total",  # for the day a provider changes its receipts
    "muster_claim_wait_seconds",  # a part of the order's duration
    "muster_watch_told_total",  # the lag says more
}


if __name__ == "__main__":
    unittest.main()
