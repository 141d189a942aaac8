"""The Dockerfile, as far as that can be judged without building it."""

import re
import subprocess
import unittest

import yaml

from chart import CHART, ROOT, SERVICES

DOCKERFILE = (ROOT / "Dockerfile").read_text()


class Image(unittest.TestCase):
    def test_hadolint_finds_nothing(self):
        ended = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
        self.assertEqual((0, ""), (ended.returncode, ended.stdout + ended.stderr))

    def test_it_builds_with_the_toolchain_of_the_repository(self):
        channel = re.search(r'channel = "(.+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
        self.assertIn(f"FROM rust:{channel}-bookworm AS build", DOCKERFILE)

    def test_each_service_has_a_target_with_its_program(self):
        for service in SERVICES:
            with self.subTest(service):
                name = f"muster-{service}"
                self.assertTrue((ROOT / service / "src" / "main.rs").exists())
                self.assertIn(f'name = "{name}"', (ROOT / service / "Cargo.toml").read_text())
                for line in (
                    f"FROM base AS {service}",
                    f"COPY --from=build /out/{name} /usr/local/bin/{name}",
                    f'ENTRYPOINT ["/usr/local/bin/{name}"]',
                ):
                    self.assertIn(line, DOCKERFILE)
                self.assertIn(f"--package {name}", DOCKERFILE)
                self.assertIn(f"target/release/{name}", DOCKERFILE)

    def test_the_chart_runs_it_as_it_is_made(self):
        given = yaml.safe_load((CHART / "values.yaml").read_text())
        user = given["defaults"]["podSecurityContext"]["runAsUser"]
        self.assertIn(f"USER {user}:{user}", DOCKERFILE)
        names = [given[key]["image"]["repository"] for key in ("controlPlane", "senderNode", "gateway")]
        self.assertEqual([f"muster-{service}" for service in SERVICES], names)

    def test_every_package_of_the_workspace_is_in_the_context(self):
        """Cargo wants to see all of them, also those that are not built."""
        members = re.search(r"members = \[(.*?)\]", (ROOT / "Cargo.toml").read_text(), re.DOTALL)[1]
        ignored = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")}
        for member in re.findall(r'"(.+?)"', members):
            self.assertNotIn(member.split("/")[0], ignored)

    def test_the_chart_has_the_version_of_the_services(self):
        version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((version, version), (chart["version"], chart["appVersion"]))


if __name__ == "__main__":
    unittest.main()
