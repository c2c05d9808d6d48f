"""Documents are true: every Python session in them runs, every command and option of the command line is in them."""

import doctest
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.docs import modules, reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sessions(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    failures, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False).run(test)
    assert failures == 0


def test_every_command_and_option_is_in_the_guide() -> None:
    from benchmarks.paper.__main__ import paper
    from imputedb.cli.main import main

    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    for name, command in [*_commands(main, "imputedb"), ("python -m benchmarks.paper", paper)]:
        assert name in guide, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in guide, (name, option.opts)


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for inner, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {inner}")
        else:
            yield f"{name} {inner}", command


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "ARCHITECTURE.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_pages_import_from_the_public_face_alone() -> None:
    for page in PAGES:
        for module in re.findall(r"(?m)^>>> (?:from|import) (imputedb[\w.]*)", page.read_text(encoding="utf-8")):
            assert module in reference.PUBLIC, (page.name, module)


def test_the_reference_has_all_that_is_public(*, update_golden: bool) -> None:
    page = ROOT / "docs" / "reference.md"
    if update_golden:
        page.write_text(reference.page(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference.page()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", reference.PUBLIC)
def test_all_that_is_public_is_described(name: str) -> None:
    for line in reference.entries(name):
        assert not line.endswith(": \n"), line


def test_every_module_has_its_line(*, update_golden: bool) -> None:
    page = ROOT / "docs" / "modules.md"
    if update_golden:
        page.write_text(modules.page(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == modules.page()
    assert not [line for line in page.read_text(encoding="utf-8").splitlines() if line.endswith(": ")]


def _drawn(drawing: str) -> set[str]:
    """Paths of the folders of a drawing, which are indented by two more than what they lie in."""
    found: set[str] = set()
    above: list[str] = []
    for line in drawing.splitlines()[2:]:
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[: depth - 1], line.split("/")[0].strip()]
        found.add("/".join(above))
    return found


def test_the_house_is_drawn_as_it_stands() -> None:
    """Every package has its place in the drawing, no other has, and the ladder is the one that is checked."""
    house = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```text")
    assert _drawn(house[1].split("```")[0]) == modules.packages()
    ladder = [floor.split() for floor in house[2].split("```")[0].replace("|", " ").split(">")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [floor.replace("imputedb.", "").replace("|", " ").split() for floor in contracts[0]["layers"]]
    assert [sorted(floor) for floor in ladder] == [sorted(floor) for floor in layers]
    assert len(layers) <= 12
