"""The metrics that there are, by docs/telemetry.md, and those that an expression asks for."""

import re
from functools import lru_cache

import promql_parser
import yaml

from chart import CHART, ROOT

# What Prometheus and Kubernetes say of every series.
EVERYWHERE = {"namespace", "pod", "job", "instance", "le"}
# Of others: cert-manager's.
OTHERS = {"certmanager_certificate_renewal_timestamp_seconds": {"name"}}
# What the expressions of Grafana have in the place of values.
GRAFANA = {"$__rate_interval": "5m", "$__range": "1h", "$namespace": "texts"}


@lru_cache(maxsize=None)
def documented():
    """Every metric of docs/telemetry.md with its labels; a histogram by the three names that it has."""
    found = {}
    for line in (ROOT / "docs" / "telemetry.md").read_text().splitlines():
        row = re.match(r"\| `([a-z_]+)` \| (counter|gauge|histogram)[ †]* \| (.*?) \|", line)
        if row:
            name, kind, labels = row[1], row[2], set(re.findall(r"`([a-z_]+)`", row[3]))
            for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                found[name + suffix] = labels | found.get(name + suffix, set())
    return found


@lru_cache(maxsize=None)
def recorded():
    """The series that our own rules make, with their labels."""
    found = {}
    for path in (CHART / "alerts").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    found[rule["record"]] = set(rule.get("labels", {}))
    return found


def asked(expression):
    """The metrics that an expression asks for, each with the labels that are matched, and the labels by which it groups.
    Fails where it cannot be read."""
    for name, value in GRAFANA.items():
        expression = expression.replace(name, value)
    selectors, groups = [], set()

    def look(node):
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            groups.update(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return selectors, groups


def faults(expression):
    """What an expression asks for that there is not."""
    known = {**documented(), **recorded(), **OTHERS}
    selectors, groups = asked(expression)
    found = [f"there is no metric {name}" for name, _ in selectors if name not in known]
    possible = set(EVERYWHERE)
    for name, labels in selectors:
        has = known.get(name, set()) | EVERYWHERE
        possible |= has
        found += [f"{name} has no label {label}" for label in sorted(labels - has)]
    return found + [f"nothing of it has the label {label}" for label in sorted(groups - possible)]
