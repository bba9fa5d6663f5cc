"""The table of settings in docs/rest-api.md: every field of the configuration, its option, its default; no more."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from pneumoscope.cli.server import serve
from pneumoscope.server.config import WebConfig

WORDS = {
    "root_path": "the host's root",
    "port": "8000",
    "data": "`~/.local/share/pneumoscope`",
    "database": "SQLite in `DATA`",
    "films": "`films` in `DATA`",
    "s3_endpoint": "Amazon's",
    "workers": "one a CPU",
    "allowed_hosts": "none",
    "trusted_proxies": "none",
}
"""Defaults that are written in another way: mostly empty ones, and what then holds."""


def rows() -> dict[str, list[str]]:
    """The table's cells behind the variable, by the field's name."""
    text = (Path(__file__).parents[2] / "docs" / "rest-api.md").read_text("utf-8")
    lines = text.partition("## Settings")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {variable.strip("`").lower(): rest for variable, *rest in cells[1:]}


def told(value: object) -> str:
    """A default as the table writes it."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        for power, unit in ((30, "GiB"), (20, "MiB")):
            if value and value % 2**power == 0:
                return f"{value // 2**power} {unit}"
        return f"{value:,}"
    return f"`{value}`"


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    found = rows()
    assert list(found) == [field.name for field in fields(WebConfig)]
    for field in fields(WebConfig):
        assert field.default is not MISSING
        assert found[field.name][1] == WORDS.get(field.name, told(field.default)), field.name
        assert found[field.name][2], field.name


def test_the_options_of_serve_stand_beside_their_variables() -> None:
    options = set(inspect.signature(serve).parameters) - {"open_browser", "node", "node_config"}  # no variables
    told_in_table = {name: row[0] for name, row in rows().items() if row[0]}
    assert told_in_table == {name: f"`--{name.replace('_', '-')}`" for name in options}


def test_a_variable_of_the_table_sets_its_field(tmp_path: Path) -> None:
    given = {"data": str(tmp_path), "login": "never", "root_path": "/films", "log_format": "json"}
    config = WebConfig.from_environment({f"PNEUMOSCOPE_WEB_{name.upper()}": given.get(name, "1") for name in rows()})
    for field in fields(WebConfig):
        assert str(getattr(config, field.name)) in {given.get(field.name, "1"), "True"}, field.name


def test_a_misspelt_variable_is_found() -> None:
    given = {"PNEUMOSCOPE_WEB_PORTS": "1", "PNEUMOSCOPE_WEB_PORT": "2", "PNEUMOSCOPE_MODEL": "standard"}
    assert WebConfig.unknown_variables(given) == ("PNEUMOSCOPE_WEB_PORTS",)
