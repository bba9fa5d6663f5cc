"""The notebook: a valid document without outputs, whose cells run as they stand and show something short."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
CELLS: list[dict[str, Any]] = json.loads(PAGE.read_text("utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def shown(code: str, session: dict[str, Any]) -> object:
    """What a notebook would show below a cell: the value of its last expression."""
    tree = ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, str(PAGE), "exec"), session)  # noqa: S102 - our own page
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), str(PAGE), "eval"), session)  # noqa: S307


def test_the_notebook_has_no_outputs_and_each_cell_a_name() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS if "outputs" in cell)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
    assert "research use only" in "".join("".join(cell["source"]) for cell in CELLS).lower()


@pytest.mark.slow
def test_the_cells_run_as_they_stand_and_show_something_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    # What the notebook registers is gone with the test.
    monkeypatch.setattr("pneumoscope.training.augment._AUGMENTATIONS._registered", {})
    session: dict[str, Any] = {}
    found = [shown(code, session) for code in CODE]
    told = [value for value in found if value is not None]
    assert len(told) >= 8
    for value in told:
        assert len(repr(value)) < 400, type(value)
        assert "object at 0x" not in repr(value), type(value)
    for name in ("manifest", "run", "result"):
        assert session[name]._repr_html_().startswith("<table>")
    assert session["second"].folder.bundle.is_file()
