"""The requirements of an installation, and the safety of the files that the programs read."""

import importlib.metadata
import re

from absl.testing import absltest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hgn_jax
from tests.root import ROOT

_PACKAGES = ("hgn_jax", "data_builders", "experiments", "benchmarks")


def _requirements(extra):
    """Returns the direct dependencies of the project with one of its extras."""
    parsed = map(Requirement, importlib.metadata.requires("hgn_jax"))
    return [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": extra})]


class InstallationTest(absltest.TestCase):
    def test_every_dependency_has_a_tested_range(self):
        for extra in importlib.metadata.metadata("hgn_jax").get_all("Provides-Extra"):
            for requirement in _requirements(extra):
                operators = {specifier.operator for specifier in requirement.specifier}
                self.assertEqual(operators, {">=", "<"}, requirement)

    def test_the_lock_file_pins_every_dependency_within_its_range(self):
        pins = re.findall(r"^([\w.-]+)==(\S+) \\$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
        versions = {canonicalize_name(name): version for name, version in pins}
        for requirement in _requirements("test"):
            self.assertIn(canonicalize_name(requirement.name), versions)
            self.assertTrue(requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement)

    def test_versions_agree(self):
        (cited,) = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
        newest, *_ = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        self.assertEqual([cited, newest], [hgn_jax.__version__] * 2)

    def test_nothing_is_unpickled(self):
        sources = [path for package in _PACKAGES for path in (ROOT / package).rglob("*.py")]
        self.assertNotEmpty(sources)
        for path in sources:
            text = path.read_text()
            self.assertIsNone(re.search(r"\bimport (pickle|dill|joblib|cloudpickle|shelve)\b", text), path)
            for call in re.findall(r"\bnp\.load\(.*", text):
                self.assertIn("allow_pickle=False", call, path)
