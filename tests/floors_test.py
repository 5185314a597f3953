"""Every file imports only from the floors below its own, and TensorFlow Datasets only where it belongs."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

from tests.root import ROOT

# From the ground up. A room is a module, or a package with everything in it. A file imports from its own room and from
# the floors below it. Rooms on the same floor do not know each other.
FLOORS = (
    "hgn_jax.errors | hgn_jax.version | hgn_jax.whole_files",
    "hgn_jax.config_checks | hgn_jax.memory",
    "hgn_jax.physics",
    "hgn_jax.networks | hgn_jax.data",
    "hgn_jax.models | hgn_jax.training",  # training knows the models by the protocol `Model` only
    "hgn_jax.metrics | hgn_jax.state_densities",
    "hgn_jax.prediction",
    "hgn_jax.loaded_run",
    "hgn_jax.runs | hgn_jax.pretrained",
    "hgn_jax",
    "data_builders.caller | data_builders.errors | data_builders.interruption",
    "data_builders.locks | data_builders.streams",
    "data_builders.configs | data_builders.overrides",
    "data_builders.rendering",
    "data_builders.simulation",
    "data_builders.tfds_backend",
    "data_builders.physics_builder",
    "data_builders.mass_spring | data_builders.pendulum | data_builders.double_pendulum | data_builders.two_body"
    " | data_builders.three_body | data_builders.video_folder",
    "data_builders.datasets | data_builders.films",
    "data_builders.build | data_builders",
    "experiments.tasks",
    "experiments.run",
    "experiments.reporting",
    "experiments.clips",
    "experiments.hgn | experiments.hnn | experiments.nhf",
    "experiments.comparison",
    "experiments.figures | experiments.explorer",
    "experiments.evaluate | experiments.sample | experiments.table1 | experiments.dataset_gallery"
    " | experiments.nhf_table | experiments.beyond_table | experiments.noise_limit"
    " | experiments.replaced_by_truth | experiments.console"
    " | experiments.export | experiments",
)
# Rooms whose imports from a whole package are fewer than their floor allows: (room, package, rooms it may import).
NARROWER = (
    ("hgn_jax.metrics", "hgn_jax", "hgn_jax.errors | hgn_jax.physics | hgn_jax.models | hgn_jax.metrics"),
    (
        "data_builders",
        "hgn_jax",
        "hgn_jax.errors | hgn_jax.config_checks | hgn_jax.memory | hgn_jax.physics | hgn_jax.training.progress",
    ),
)
# The one file of the library that reads data sets, and the one package that may rely on the internals of TFDS.
READER, BACKEND = "hgn_jax.data.datasets", "data_builders.tfds_backend"


def _rooms(text: str) -> list[str]:
    return text.split(" | ")


FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in _rooms(floor)}


def _inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def _room(module: str) -> str:
    return max((room for room in FLOOR_OF if _inside(module, room)), key=len)


def _name(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those of `if TYPE_CHECKING:`, which are never run."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")):
            yield child
            yield from _walk(child)


def _imports(path: pathlib.Path) -> Iterator[str]:
    """Modules that a file imports, at its top or within its functions."""
    for node in _walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import in {path}"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                # A submodule of a package outside of the project is taken for one: `tensorflow_datasets.core.splits`.
                yield full if _is_module(full) or not _is_module(node.module) else node.module


PACKAGES = ("hgn_jax", "data_builders", "experiments")
IMPORTS = [
    (_name(path), imported)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    for imported in _imports(path)
]


def _own_imports():
    return [(module, imported) for module, imported in IMPORTS if imported.split(".")[0] in PACKAGES]


def test_every_folder_and_file_has_a_floor():
    modules = {module for module, _ in IMPORTS}
    assert {module for module in modules if _room(module) in PACKAGES} <= set(PACKAGES)
    assert [room for room in FLOOR_OF if not _is_module(room)] == []


def test_imports_go_down():
    wrong = [
        f"{module} imports {imported}"
        for module, imported in _own_imports()
        if _room(module) != _room(imported) and FLOOR_OF[_room(module)] <= FLOOR_OF[_room(imported)]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("room", "package", "allowed"), NARROWER, ids=lambda text: text.split(" ")[0])
def test_rooms_with_narrower_imports(room, package, allowed):
    wrong = [
        f"{module} imports {imported}"
        for module, imported in _own_imports()
        if _inside(module, room) and _inside(imported, package)
        if not any(_inside(imported, other) for other in _rooms(allowed))
    ]
    assert not wrong, "\n".join(wrong)


def test_tfds_is_imported_only_where_it_belongs():
    tfds = [(module, imported) for module, imported in IMPORTS if _inside(imported, "tensorflow_datasets")]
    readers = {module for module, _ in tfds if _inside(module, "hgn_jax")}
    users_of_internals = {
        module for module, imported in tfds if imported != "tensorflow_datasets" and not _inside(module, BACKEND)
    }
    assert (readers, users_of_internals) == ({READER}, set())
