"""`./run test`: formatting, lint, types, import rules, dependencies, then all tests."""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

CHECKS: tuple[tuple[str, Sequence[str]], ...] = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("mypy",)),
    ("import rules", ("lint-imports",)),
    ("dependencies", ("deptry", ".")),
)


def main(arguments: Sequence[str]) -> int:
    """Run all checks, or only pytest when it is given arguments; the first exit code that is not 0."""
    scripts = Path(sysconfig.get_path("scripts"))
    failed = 0
    for name, (tool, *options) in CHECKS if not arguments else ():
        print(f"== {name}", flush=True)
        done = subprocess.run([str(scripts / tool), *options], capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout + done.stderr, flush=True)
            failed = failed or done.returncode
    print("== tests", flush=True)
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], check=False)
    return tests.returncode or failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
