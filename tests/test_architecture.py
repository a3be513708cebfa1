import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "shared": {"shared"},
    "client": {"shared", "client"},
    "server": {"shared", "server"},
    "simulations": {"shared", "client", "server", "simulations"},
}
NETWORK = {"requests", "urllib", "urllib3", "http", "httpx", "aiohttp", "socket", "ftplib"}
OPENS = {
    "client/extraction/detector_download.py": {"httpx"},
    "server/gateway/running.py": {"socket"},
    "server/gateway/service.py": {"socket"},
    "server/gateway/upstream.py": {"httpx"},
}
"""The few modules that open connections themselves: the clinic's only when a person asks (`detector
get`), the coordinator's to the server's own Flower behind the gateway."""
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "server",
    "client",
    "shared",
    "simulations",
    "tests",
    "Makefile",
    "LICENSE",
    "constraints.txt",
}


def packages_imported(source: str) -> set[str]:
    """Top-level packages a module imports, wherever in it; a relative import is its own package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # urllib.parse takes addresses apart; the rest of urllib fetches them.
            found.add(node.module if node.module == "urllib.parse" else node.module.split(".")[0])
    return found


def forbidden(room: str, source: str) -> set[str]:
    return packages_imported(source) & ((set(MAY_IMPORT) - MAY_IMPORT[room]) | NETWORK)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may_and_nothing_that_opens_a_network(room):
    modules = sorted((ROOT / room).rglob("*.py"))
    assert modules
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in modules
        if (wrong := forbidden(room, path.read_text(encoding="utf-8")))
    }
    assert found == {name: allowed for name, allowed in OPENS.items() if name.startswith(room)}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("shared", "from client.site import SiteStudy"),
        ("client", "import server.roster"),
        ("server", "def f():\n    from simulations.experiment import Arm"),
        ("client", "import urllib.request"),
    ],
)
def test_a_forbidden_import_is_found(room, line):
    assert forbidden(room, line)


def test_tracked_top_level_entries():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    entries = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {entry for entry in entries if not entry.startswith(".")} <= TOP_LEVEL


def test_the_apps_start_without_the_heavy_libraries():
    heavy = ("torch", "opacus", "pandas", "av", "cv2", "matplotlib", "sklearn")
    program = (
        "import sys, client.app, server.app; "
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
