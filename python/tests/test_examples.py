"""Every example runs, and what it says about itself holds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import torch_or_skip

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NEEDS = {"eigenvalues_of_digits": ("scipy",)}


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_example(name, tmp_path):
    if name == "pytorch_network":
        torch_or_skip()
    for package in NEEDS.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    done = subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py")], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_every_example_is_in_the_documentation():
    docs = EXAMPLES.parent / "docs"
    overview = (docs / "python.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"examples/{path.stem}.md" in overview
        assert f"examples/{path.name}" in (docs / "examples" / f"{path.stem}.md").read_text()
