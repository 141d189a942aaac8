"""The chart as Helm's own engine sees it, and where everything lies."""

import os
import re
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "muster"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
SERVICES = ("control-plane", "sender-node", "gateway")


def values(case):
    """The values of an entry of the matrix, by its name without `-values.yaml`."""
    return yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text())


def rendered(given, namespace="texts"):
    """What `helm template muster` makes of these values: text by the template's name, NOTES included.

    A chart that was rendered once is not the same any more, so it is loaded each time."""
    files = helm_python.Chart.load(str(CHART)).render(given, name="muster", namespace=namespace)
    return {path.split("/templates/")[1]: text for path, text in files.items()}


def refusal(given):
    """Why Helm refuses these values; empty where it does not."""
    try:
        with without_the_engines_log():
            rendered(given)
    except helm_python.HelmError as error:
        return str(error)
    return ""


@contextmanager
def without_the_engines_log():
    """The engine writes each `fail` to standard error, too, past Python."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def documents(text):
    """The documents of a file, split as Helm splits them."""
    parts = re.split(r"(?:^|\n)---[^\n]*\n", text)
    return [document for document in map(yaml.safe_load, parts) if document]


@lru_cache(maxsize=None)
def objects(case):
    """The objects that an entry of the matrix makes."""
    files = rendered(values(case))
    return [document for path, text in files.items() if path != "NOTES.txt" for document in documents(text)]


def of_kind(case, kind):
    """Those of one kind, by name."""
    return {found["metadata"]["name"]: found for found in objects(case) if found["kind"] == kind}


def pods(case):
    """The pods' specifications, by the kind and the name of what makes them."""
    found = {}
    for document in objects(case):
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] in ("Deployment", "Job"):
            found[name] = document["spec"]["template"]
        elif document["kind"] == "Pod":
            found[name] = document
    return found


def config(case, service):
    """The configuration file that a service gets."""
    for name, found in of_kind(case, "ConfigMap").items():
        if name.endswith(service) and "config.toml" in found["data"]:
            return found["data"]["config.toml"]
    raise AssertionError(f"{case} has no configuration of {service}")
