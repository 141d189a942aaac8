"""promtool, which judges rules: the one on PATH, or Debian's, taken out of its package without installing it."""

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from chart import ROOT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
KEPT = TARGET / "devtools" / "promtool" / platform.machine() / "promtool"


def promtool():
    """Its path. Fetched once; fails, with what to do, where there is none and no way to get it."""
    found = shutil.which("promtool")
    if found:
        return found
    if not KEPT.exists():
        fetch()
    return str(KEPT)


def fetch():
    with tempfile.TemporaryDirectory() as folder:
        # The package manager checks what it fetches. A machine that never looked for packages has to do so first.
        steps = [["apt-get", "download", "prometheus"]]
        if os.geteuid() == 0:
            steps.insert(0, ["apt-get", "update", "--quiet"])
        try:
            for step in steps:
                subprocess.run(step, cwd=folder, check=True, capture_output=True, text=True)
            package = next(Path(folder).glob("prometheus_*.deb"))
            subprocess.run(["dpkg", "-x", str(package), folder], check=True)
        except (OSError, subprocess.CalledProcessError, StopIteration) as error:
            reason = getattr(error, "stderr", None) or error
            raise SystemExit(
                f"The alerts cannot be tested without promtool: {reason}\n"
                "Put promtool on PATH (it comes with Prometheus), or run this on Debian."
            ) from error
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        draft = KEPT.with_suffix(f".{os.getpid()}")
        shutil.copy(Path(folder) / "usr" / "bin" / "promtool", draft)
        draft.chmod(0o755)
        draft.replace(KEPT)
