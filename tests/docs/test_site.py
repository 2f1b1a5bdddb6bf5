"""The documentation: it builds strictly without a network, its links lead somewhere, and its commands exist."""

import re
import shlex
import socket
from pathlib import Path

import pytest
import typer
from mkdocs.commands.build import build
from mkdocs.config import load_config

from analysis.cli import app as ren_analysis
from ren_features.cli import app as ren_features
from ren_models.cli import app as ren_models

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"store.md", "quality.md"}
PROGRAMS = {"ren-features": ren_features, "ren-models": ren_models, "ren-analysis": ren_analysis}


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
    assert built >= {path.stem for path in (ROOT / "docs").glob("*.md")} | {Path(name).stem for name in GENERATED}
    assert "embeddings" in (site / "store.html").read_text()
    assert "lungs_swapped" in (site / "quality.html").read_text()


def test_a_page_loads_nothing_from_elsewhere(site):
    for path in site.glob("*.html"):
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?)"', path.read_text()), path.name


def test_the_readme_is_short():
    assert len(PAGES[0].read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    inside = [target for target in targets if "://" not in target]
    missing = [target for target in inside if not (page.parent / target).exists() and Path(target).name not in GENERATED]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    unknown = [call for call in _calls(page.read_text()) if not _exists(*call)]
    assert unknown == []


def test_commands_are_recognised():
    calls = [call for page in PAGES for call in _calls(page.read_text())]
    assert ("ren-models", "split", frozenset({"--store", "--task"})) in calls
    assert len(calls) > 30
    assert not _exists("ren-models", "split", frozenset({"--stores"}))


def _calls(text: str) -> list[tuple[str, str, frozenset[str]]]:
    """Program, command and options of every call in the code blocks of a page."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    calls = []
    for call in re.findall(r"^\$? ?(ren-\w+ .*(?:\n {4,}.*)*)", blocks, re.MULTILINE):
        quoted = re.sub(r'"[^"]*"', "TEXT", re.sub(r"\s+#.*", "", call))
        words = shlex.split(re.sub(r"[\[\]|]", " ", quoted))
        options = frozenset(word for word in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", word))
        calls.append((words[0], words[1], options))
    return calls


def _exists(program: str, command: str, options: frozenset[str]) -> bool:
    commands = typer.main.get_command(PROGRAMS[program]).commands
    if command not in commands:
        return False
    accepted = {name for parameter in commands[command].params for name in (*parameter.opts, *parameter.secondary_opts)}
    return options <= accepted
