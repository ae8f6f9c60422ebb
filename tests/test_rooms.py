"""The rooms of the house: who imports whom among the sources, imports inside functions included."""

import ast
from pathlib import Path

import pytest

from stacked.registry import MODELS

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"stacked.kernels": 0, "stacked": 1, "stacked.cli": 2}  # a file imports from its own floor and those below
BY_NAME = {"stacked", "stacked.models.loading"}  # they import what the registry names


def _package(*parts):
    return ".".join(part for part in parts if part != "__init__")


def _modules():
    """{module: path} of every source file, by the name that it is imported under."""
    found = {}
    for folder, name in (("stacked", "stacked"), ("cli", "stacked.cli"), ("kernels", "stacked.kernels")):
        for path in (ROOT / folder).rglob("*.py"):
            found[_package(name, *path.relative_to(ROOT / folder).with_suffix("").parts)] = path
    return found


def _is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).lstrip("_") == "TYPE_CHECKING"


def _imports(node):
    """Import statements under a node, but those that only a type checker executes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif _is_for_types(child):
            yield from (found for other in child.orelse for found in _imports(ast.Module([other], [])))
        else:
            yield from _imports(child)


def _base(module, path, statement):
    """The absolute name of what ``from ... import`` imports from."""
    if not statement.level:
        return statement.module
    package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    return _package(*package[: len(package) - statement.level + 1], *filter(None, [statement.module]))


def _names(module, path, statement):
    """Absolute names that one statement imports, those of attributes among them."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    base = _base(module, path, statement)
    return [f"{base}.{alias.name}" for alias in statement.names]


def _files(module, path, known):
    """The source files that a file imports."""
    names = [name for found in _imports(ast.parse(path.read_text())) for name in _names(module, path, found)]
    if module in BY_NAME:
        names += [f"stacked.{home.module}" for home in MODELS.values()]
    return {name if name in known else name.rpartition(".")[0] for name in names} & known.keys()


@pytest.fixture(scope="module")
def house():
    """{module: the modules of the house that it imports}."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a source checkout")
    known = _modules()
    return {module: _files(module, path, known) for module, path in known.items()}


def _floor(module):
    """Of the top package that the module is in."""
    return FLOORS[max((name for name in FLOORS if f"{module}.".startswith(f"{name}.")), key=len)]


def _circle(house):
    """The modules along one circle of imports, or none."""
    left = dict(house)
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    way = [next(iter(left))] if left else []
    while way and way[-1] not in way[:-1]:
        way.append(min(left[way[-1]] & left.keys()))
    return way[way.index(way[-1]) :] if way else []


def test_every_room_is_looked_at(house):
    assert len(house) > 120
    assert "stacked.files" in house["stacked.models.loading"]
    assert "stacked.training.solvers" in house["stacked.training.trainees"]  # inside a function
    assert "stacked.data.memory" in house["stacked.data.images"]  # from . import memory
    assert "stacked.units.rbm" in house["stacked"]  # by name


def test_circles_are_found():
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) in (["b", "c", "b"], ["c", "b", "c"])
    assert _circle({"a": {"a"}}) == ["a", "a"] and _circle({"a": {"b"}, "b": set()}) == []


def test_there_is_no_circle(house):
    assert _circle(house) == []


def test_model_files_know_no_estimator(house):
    below = {"stacked.errors", "stacked.text", "stacked.chunks", "stacked._version"}
    files = {module: names for module, names in house.items() if f"{module}.".startswith("stacked.files.")}
    assert len(files) > 15
    for module, names in files.items():
        assert {name for name in names if not f"{name}.".startswith("stacked.files.")} <= below, module


def test_imports_go_one_way(house):
    upwards = {(module, name) for module, names in house.items() for name in names if _floor(name) > _floor(module)}
    assert upwards <= {("stacked.__main__", "stacked.cli")}  # `python -m stacked` is the command line
