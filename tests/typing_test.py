"""Type checkers: programs that use the public names as the documentation does pass, and mistakes are found."""

import re
import subprocess
import sys

import pytest

from tests.root import ROOT

_PAGES = ("README.md", "docs/library.md", "docs/pretrained.md")
_MISTAKES = {
    "rollout(energy, PhaseState(1.0, 1.0), dt=0.1, num_steps='3')": "num_steps",
    "HGNConfig(imagesize=32)": "imagesize",
    "load_pretrained(3)": "load_pretrained",
    "make_hgn(NHFConfig())": "make_hgn",
    "hgn_jax.rolout": "rolout",
}


def _check(paths, cache):
    # Errors within the package are not shown, as where it is installed.
    options = ["--follow-imports=silent", "--ignore-missing-imports", f"--cache-dir={cache}", "--no-pretty"]
    options += ["--allow-redefinition", "--disable-error-code=assignment"]  # pages use a name twice
    command = [sys.executable, "-m", "mypy", *options, *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_public_names_have_types(tmp_path):
    pages = []
    for name in _PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / name).read_text(encoding="utf-8"), re.M | re.S)
        assert blocks
        pages.append(tmp_path / f"{name.replace('/', '_').removesuffix('.md')}.py")
        pages[-1].write_text("\n".join(blocks), encoding="utf-8")
    result = _check(pages, tmp_path / "cache")
    assert result.returncode == 0, result.stdout + result.stderr

    start = "import hgn_jax\nfrom hgn_jax import *\nenergy = systems.pendulum().hamiltonian\n"
    wrong = tmp_path / "wrong.py"
    wrong.write_text(start + "\n".join(_MISTAKES))
    errors = _check([wrong], tmp_path / "cache").stdout.splitlines()
    for number, word in enumerate(_MISTAKES.values(), start=start.count("\n") + 1):
        assert any(f"wrong.py:{number}: error" in line and word in line for line in errors), (number, word, errors)
