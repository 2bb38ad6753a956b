"""The house rules that no linter knows, over the syntax tree of everything that ships.

float-on-money   `float(...)` is called nowhere, but for a book's sort keys and for numbers that are
                 no money, which say what they are on the line (`# seconds`, `# chance`, ...).
task-owner       tasks are made by the connection and by the hedge driver, and by nobody else.
venue-in-core    the core and the strategies do not know any venue's name.
exit             nothing but an entry point ends the process.
arrows           the two single-file modules import downwards only (the rest is import-linter's).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("mpdex", "wrappers", "strategies", "multi_perp_dex.py", "exchange_factory.py")
TASK_OWNERS = {"wrappers/base_ws_client.py", "strategies/driver.py"}
TASK_MAKERS = {"create_task", "ensure_future", "run_in_executor", "to_thread"}
CORE = (
    "mpdex/utils/",
    "mpdex/dex/",
    "mpdex/types.py",
    "mpdex/errors.py",
    "mpdex/actions.py",
    "mpdex/paper.py",
    "multi_perp_dex.py",
    "strategies/",
)
# Modules of the core that a venue family owns by name (DESIGN section 2).
FAMILY = {
    "hyperliquid_base.py",
    "hyperliquid_facts.py",
    "hyperliquid_frames.py",
    "hyperliquid_errors.py",
    "hyperliquid_signing.py",
    "common_hyperliquid.py",
    "common_pacifica.py",
    "pacifica_errors.py",
    "pacifica_frames.py",
    "pacifica_wire.py",
    "common_treadfi.py",
    "treadfi_base.py",
}
VENUES = re.compile(
    r"\b(grvt|backpack|hyperliquid|lighter|paradex|edgex|pacifica|standx|extended|superstack"
    r"|treadfi|variational)\b",
    re.IGNORECASE,
)
FLOAT_OK = ("# seconds", "# sort key", "# chance", "# requests")  # what it is, said on its line
EXITS = {"exit", "quit", "_exit"}
ENTRY_POINTS = {"mpdex/cli.py"}
UPWARD = {
    "multi_perp_dex.py": ("exchange_factory", "wrappers", "strategies", "mpdex.sim", "mpdex.cli"),
    "exchange_factory.py": ("strategies", "mpdex.sim", "mpdex.cli"),
}


def files() -> Iterator[Path]:
    for name in SHIPPED:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def findings(path: Path) -> Iterator[str]:
    name = path.relative_to(ROOT).as_posix()
    if "scaffold" in name:
        return
    text = path.read_text()
    lines = text.splitlines()
    core = name.startswith(CORE) and path.name not in FAMILY
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            called = _name(node.func)
            line = lines[node.lineno - 1]
            if called == "float" and not any(mark in line for mark in FLOAT_OK):
                yield f"{where}: float-on-money: float() is not for prices, sizes or balances"
            if called in TASK_MAKERS and name not in TASK_OWNERS:
                yield f"{where}: task-owner: {called}() outside its two owners"
            if called in EXITS and name not in ENTRY_POINTS:
                yield f"{where}: exit: {called}() outside an entry point"
        for module in _imported(node):
            if module.startswith(UPWARD.get(name, ())):
                yield f"{where}: arrows: {module} is above {name}"
        if core and id(node) not in docstrings:
            for word in _words(node):
                if VENUES.search(word):
                    yield f"{where}: venue-in-core: {VENUES.search(word).group()!r}"  # type: ignore[union-attr]


def _name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name):
        yield node.id.replace("_", " ")
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.replace(".", " ").replace("_", " ")


def main() -> int:
    found = [finding for path in files() for finding in findings(path)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
