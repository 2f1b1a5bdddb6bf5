"""The documentation: it builds strictly without a network, its links lead somewhere, and what it shows can be called."""

import re
import shlex
import socket
from pathlib import Path

import pytest
import typer
from markdown.extensions.toc import slugify
from mkdocs.commands.build import build
from mkdocs.config import load_config

from analysis.cli import app as ren_analysis
from ren_features import FeatureStore
from ren_features.cli import app as ren_features
from ren_features.store.description import describe
from ren_models.cli import app as ren_models

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {ROOT / "docs" / "store.md", ROOT / "docs" / "quality.md"}
PROGRAMS = {"ren-features": ren_features, "ren-models": ren_models, "ren-analysis": ren_analysis}
COMMANDS = {name: typer.main.get_command(app).commands for name, app in PROGRAMS.items()}
OTHER_SOFTWARE = {"--no-build-isolation", "--roi_subset", "--seeds"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")

    def refuse(*arguments):
        raise AssertionError(f"the site asked the network for {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))  # strict: any warning is an error
    return folder


def test_every_page_is_built(site):
    built = {path.stem for path in site.glob("*.html")}
    assert built >= {path.stem for path in (ROOT / "docs").glob("*.md")} | {path.stem for path in GENERATED}
    assert "embeddings" in (site / "store.html").read_text()
    assert "below -1100 or from 300 HU on" in (site / "quality.html").read_text()


def test_a_page_loads_nothing_from_elsewhere(site):
    for path in site.glob("*.html"):
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?)"', path.read_text()), path.name


def test_the_readme_is_short():
    lines = PAGES[0].read_text().splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines)) < 200


@each_page
def test_links_lead_to_files_headings_and_tests(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    missing = [link for link in links if "://" not in link and not _leads_somewhere(page, link)]
    assert missing == []


def test_every_promise_has_its_tests():
    promises = re.findall(r"^\* .*(?:\n  .*)*", _section("README.md", "Promises"), re.MULTILINE)
    assert len(promises) >= 8
    assert [promise for promise in promises if not re.search(r"\.py#test_\w+\)", promise)] == []


def test_the_map_of_rooms_names_every_module_and_no_other():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for package in ("ren_features", "ren_models", "analysis"):
        table = text.partition(f"| room of `{package}` |")[2].partition("\n\n")[0]
        rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)
        mapped = {room for first, _ in rows for room in re.findall(r"`(\w+)/`", first)}
        assert mapped == _folders(ROOT / package)
        for first, content in rows:
            rooms = re.findall(r"`(\w+)/`", first) or ["."]
            if len(rooms) == 1 and rooms != ["cli"]:
                missing = _modules(ROOT / package / rooms[0]) - set(re.findall(r"`(\w+)`", content))
                absent = [name for name in re.findall(r"`(\w+)`", content) if not _is_module(ROOT / package / rooms[0], name)]
                assert (missing, absent) == (set(), []), first


def test_paths_in_contributing_exist():
    places = [ROOT / place for place in (".", "ren_features", "ren_models", "analysis", "ren_features/radiomics")]
    paths = [code for code in _inline((ROOT / "CONTRIBUTING.md").read_text()) if re.fullmatch(r"[\w.]+/[\w/.]+", code)]
    assert len(paths) > 20
    written_later = "store/migrations/000N.sql"
    assert [path for path in paths if path != written_later and not any((place / path).exists() for place in places)] == []


@each_page
def test_commands_and_their_options_exist(page):
    unknown = [call for call in _calls(page.read_text()) if not _exists(*call)]
    assert unknown == []


@each_page
def test_an_option_in_a_sentence_is_one_of_a_command(page):
    options = {name for commands in COMMANDS.values() for command in commands.values() for name in _options(command)}
    named = {word for code in _inline(page.read_text()) for word in code.split() if re.fullmatch(r"--[a-z_-]+", word)}
    assert named <= options | OTHER_SOFTWARE


@each_page
def test_every_name_that_a_page_describes_is_described(page):
    for name in re.findall(r"ren-features describe (\w+)", page.read_text()):
        assert describe(name)


def test_queries_are_answered(make_store):
    shown = [query for page in PAGES for query in _queries(page.read_text())]
    assert len(shown) >= 4
    with FeatureStore(make_store()) as store:
        for query in shown:
            store.sql(query.replace("has_ILD", "ill"))  # the task of that store


def test_what_a_page_shows_is_recognised():
    calls = [call for page in PAGES for call in _calls(page.read_text())]
    assert ("ren-models", "split", frozenset({"--store", "--task"})) in calls
    assert ("ren-features", "describe", frozenset()) in calls
    assert len(calls) > 30
    assert not _exists("ren-models", "split", frozenset({"--stores"}))
    assert not _leads_somewhere(PAGES[0], "docs/experts.md#no-such-heading")
    assert not _leads_somewhere(PAGES[0], "tests/docs/test_site.py#test_nothing")


def _leads_somewhere(page: Path, link: str) -> bool:
    """True when a link's file exists, and has the heading or the test after its `#`."""
    name, _, anchor = link.partition("#")
    file = page.parent / name if name else page
    if file in GENERATED or not anchor:
        return file in GENERATED or file.exists()
    text = file.read_text() if file.is_file() else ""
    if file.suffix == ".py":
        return f"def {anchor}(" in text
    return anchor in {slugify(heading, "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def _modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def _folders(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/__init__.py")}


def _is_module(folder: Path, name: str) -> bool:
    return name in _modules(folder) or name == "measure_scan"  # a function that the map names


def _queries(text: str) -> list[str]:
    """Complete queries that a page shows."""
    blocks = re.findall(r"^```sql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    queries = (*re.findall(r'ren-features query "([^"]+)"', text), *blocks)
    return [query for query in queries if not query.endswith("...")]


def _section(name: str, heading: str) -> str:
    """Text under a heading, from its first words, to the next heading of that level."""
    return re.split(r"^## ", (ROOT / name).read_text().partition(f"\n## {heading}")[2], maxsplit=1, flags=re.MULTILINE)[0]


def _inline(text: str) -> list[str]:
    """Code within sentences."""
    return re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def _calls(text: str) -> list[tuple[str, str, frozenset[str]]]:
    """Program, command and options of every call in the code of a page."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    shown = re.findall(r"^\$? ?(ren-\w+ .*(?:\n {4,}.*)*)", blocks, re.MULTILINE)
    calls = []
    for call in (*shown, *(code for code in _inline(text) if re.match(r"ren-(features|models|analysis) \w", code))):
        quoted = re.sub(r'"[^"]*"', "TEXT", re.sub(r"\s+#.*", "", call))
        words = shlex.split(re.sub(r"[\[\]|]", " ", quoted))
        calls.append((words[0], words[1], frozenset(word for word in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", word))))
    return calls


def _exists(program: str, command: str, options: frozenset[str]) -> bool:
    return command in COMMANDS[program] and options <= _options(COMMANDS[program][command])


def _options(command: object) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
