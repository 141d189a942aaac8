"""The table of values in the chart's README, made of the comments in values.yaml."""

import json
import re

import yaml

from chart import CHART

BEGIN = "<!-- values: made by helm/checks/write.py -->"
END = "<!-- values end -->"
# Blocks that are the same as one that is described.
SAME = ("listeners.webhooks.", "listeners.events.")


def rows():
    """Path, default and description of every value, and the paths that have no description."""
    comment, above, found, bare = [], [], [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("#"):
            comment.append(text.lstrip("# "))
            continue
        key = re.match(r"( *)([A-Za-z]+):(.*)", line)
        if key:
            depth = len(key[1]) // 2
            above = above[:depth] + [key[2]]
            path = ".".join(above)
            if comment:
                found.append((path, key[3].strip(), " ".join(comment)))
            elif key[3].strip() and not path.startswith(SAME) and not inside(path, found):
                bare.append(path)
        comment = []
    return found, bare


def inside(path, found):
    """Whether a value above it, which is no section, is described."""
    return any(path.startswith(f"{other}.") for other, _, _ in found if other not in SECTIONS)


SECTIONS = {
    "defaults",
    "controlPlane",
    "senderNode",
    "gateway",
    "listeners",
    "listeners.api",
    "internalTls.certManager",
}


DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def default(path):
    value = DEFAULTS
    for key in path.split("."):
        value = value[key]
    return json.dumps(value)


def table():
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for path, _, description in rows()[0]:
        section = path in SECTIONS or path.startswith("listeners.") and path.count(".") == 1
        shown = "" if section else f"`{default(path)}`"
        lines.append(f"| `{path}` | {shown} | {description} |".replace("|  |", "| |"))
    return "\n".join(lines)
