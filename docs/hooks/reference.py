"""The reference: a page for each floor of the library, from the docstrings of its modules.

Docstrings are read without importing anything. A public name without a docstring is a warning, which ends a strict
build.
"""

import logging
import pathlib
from collections.abc import Iterator

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_log = logging.getLogger("mkdocs.hooks.reference")

# Modules beside the library that the guides import from.
_BESIDE = {"data_builders": ("datasets", "films"), "experiments": ("tasks",)}
# Modules that the floors stand on, and users seldom need.
_BELOW = {"config_checks", "errors", "memory", "version", "whole_files"}
_BELOW_TITLE = "Checks, errors and files"
_BELOW_SUMMARY = "What all of it stands on; users seldom need it."


def is_public(name: str) -> bool:
    return not name.startswith("_")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _modules(package: griffe.Module) -> list[griffe.Module]:
    return [module for name, module in sorted(package.modules.items()) if is_public(name) and not module.is_alias]


def submodules(package: griffe.Module) -> list[griffe.Module]:
    """Returns the public modules of a package, and those of its subpackages."""
    return [part for module in _modules(package) for part in (module, *submodules(module))]


def undocumented(module: griffe.Module | griffe.Class) -> Iterator[str]:
    """Yields the public names that lack a docstring, at any depth. Attributes need one if they are in `__all__`."""
    declared = set(map(str, module.exports or ())) if module.is_module else set()
    for name, member in module.members.items():
        member = member.final_target if name in declared and member.is_alias else member
        if is_public(name) and not member.is_alias and (name in declared or not member.is_attribute):
            if not member.docstring:
                yield member.path
            if member.is_module or member.is_class:
                yield from undocumented(member)


def load(root: pathlib.Path, package: str) -> griffe.Module:
    """Reads a package of the repository, without importing it."""
    return griffe.load(package, search_paths=[root], allow_inspection=False)


def _summary(member: griffe.Object) -> str:
    """Returns the first paragraph of a docstring, on one line."""
    text = member.docstring.value if member.docstring else ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _names_table(package: griffe.Module) -> str:
    """Returns the table of the names that a package's stub declares, with links to where they are described."""
    lines = ["| name | what it is |", "|---|---|"]
    for name in filter(is_public, map(str, package.exports or ())):
        member = package.members[name]
        target = member.final_target if member.is_alias else member
        lines.append(f"| [`{name}`][{target.path}] | {_summary(target)} |")
    return "\n".join(lines)


def _description(module: griffe.Module) -> str:
    """Returns the Markdown of a module; that of a package lists the names which its modules describe."""
    description = f"::: {module.path}\n    options:\n      heading_level: 2\n"
    return f"{description}      members: false\n\n{_names_table(module)}\n" if module.is_init_module else description


def floor_page(package: griffe.Module, title: str) -> str:
    """Returns the Markdown of a floor: its docstring, the names of its stub, and its modules one after another."""
    header = f"# {title}\n\n::: {package.path}\n    options:\n      members: false\n      show_root_heading: false\n"
    names = f"## Names of `{package.path}`\n\n{_names_table(package)}\n" if package.exports else ""
    return "\n".join((header, names, *map(_description, submodules(package))))


def front_page(library: griffe.Module, packages: dict[str, griffe.Module]) -> str:
    """Returns the Markdown of the first page: the public names, the other pages, and the modules of no floor."""
    names = f"# Reference\n\nWhat `from {library.path} import ...` gives:\n\n{_names_table(library)}\n"
    rows = [f"| [{_title(name)}]({name}.md) | {_summary(package)} |" for name, package in packages.items()]
    rows.append(f"| [{_BELOW_TITLE}](below.md) | {_BELOW_SUMMARY} |")
    floors = "\n".join(("The other pages of this reference:\n\n| page | what is there |\n|---|---|", *rows, ""))
    modules = [module for module in _modules(library) if not module.is_init_module and module.name not in _BELOW]
    return "\n".join((names, floors, *map(_description, modules)))


def pages(root: pathlib.Path) -> dict[str, str]:
    """Returns the Markdown of each page of the reference, by its place on the site."""
    library = load(root, "hgn_jax")
    floors = {floor.name: floor for floor in _modules(library) if floor.is_init_module}
    beside = {name: load(root, name) for name in _BESIDE}
    contents = {"index": front_page(library, floors | beside)}
    contents |= {name: floor_page(floor, _title(name)) for name, floor in floors.items()}
    for name, package in beside.items():
        modules = (_description(package[module]) for module in _BESIDE[name])
        contents[name] = "\n".join((f"# {_title(name)}\n", *modules))
    below = [_description(module) for module in _modules(library) if module.name in _BELOW]
    contents["below"] = "\n".join((f"# {_BELOW_TITLE}\n\n{_BELOW_SUMMARY}\n", *below))
    return {f"reference/{name}.md": content for name, content in contents.items()}


def on_config(config: MkDocsConfig) -> None:
    """Replaces the entry `reference/` of the navigation by the pages of the reference."""
    names = pages(pathlib.Path(config.config_file_path).parent)
    config.nav = [{"Reference": list(names)} if entry == {"Reference": "reference/"} else entry for entry in config.nav]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the reference."""
    root = pathlib.Path(config.config_file_path).parent
    for path in undocumented(load(root, "hgn_jax")):
        _log.warning("%s has no docstring", path)
    for uri, content in pages(root).items():
        files.append(File.generated(config, uri, content=content))
    return files
