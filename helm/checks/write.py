"""Writes anew what the checks compare: the configuration files under rendered/, and the table in the chart's README."""

from chart import CHART, ROOT, SERVICES, config
from readme import BEGIN, END, table

for case in ("minimal", "everything"):
    folder = ROOT / "helm" / "checks" / "rendered" / case
    folder.mkdir(parents=True, exist_ok=True)
    for service in SERVICES:
        (folder / f"{service}.toml").write_text(config(case, service) + "\n")

page = CHART / "README.md"
before, rest = page.read_text().split(BEGIN)
page.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")
