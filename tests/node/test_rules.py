"""Which films are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.cli.main import main
from pneumoscope.errors import ConfigError
from pneumoscope.server.node.config import Peer, load_config
from pneumoscope.server.node.rules import Rule, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILM = {
    "Modality": "CR",
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "PatientAge": "034Y",
    "StationName": "ER-2",
}


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        ({}, True),
        ({"Modality": "DX", "BodyPartExamined": ""}, True),
        ({"Modality": "CT"}, False),
        ({"Modality": "SR"}, False),
        ({"ViewPosition": "LL"}, False),
        ({"BodyPartExamined": "HAND"}, False),
        ({"PresentationIntentType": "FOR PROCESSING"}, False),
    ],
)
def test_without_rules_frontal_chest_films_are_read(changed: dict[str, str], read: bool) -> None:
    assert decide({**FILM, **changed}).read == read


def test_the_first_rule_that_fits_decides() -> None:
    rules = (
        Rule(name="children elsewhere", read=False, ages=(0, 18)),
        Rule(name="emergency", station=("er-?",), modality=("cr",)),
    )

    assert decide(FILM, rules).rule == "emergency"
    assert decide({**FILM, "PatientAge": "004Y"}, rules).rule == "children elsewhere"
    assert not decide({**FILM, "StationName": "WARD-1"}, rules).read
    assert decide({**FILM, "PatientAge": ""}, rules).rule == "emergency"


def test_check_rules_tells_what_becomes_of_a_study(
    chest_film: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "node.toml"
    rules.write_text('[[rules]]\nname = "adults"\nages = [18, 120]\n')
    chest_film(tmp_path / "study" / "adult.dcm", PatientAge="040Y")
    chest_film(tmp_path / "study" / "child.dcm", number=2, PatientAge="004Y", PatientBirthDate="20220101")
    (tmp_path / "study" / "note.txt").write_text("no DICOM")

    assert main(["node", "--check-rules", str(rules), str(tmp_path / "study")]) == 0

    said = capsys.readouterr().out
    assert "1 of 2 DICOM objects would be read" in said
    assert "adults" in said


@pytest.mark.parametrize(
    "text",
    [
        "aett = 'X'",
        "port = 70000",
        "[[rules]]\nname = 'x'\nages = [9]",
        "send_to = ['nowhere']",
        "[priors]\nmethod = 'x'",
    ],
)
def test_a_wrong_setting_is_one_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as error:
        load_config(file)

    assert str(file) in str(error.value) or "nowhere" in str(error.value)


def test_a_node_that_others_reach_is_told_who_may_send() -> None:
    with pytest.raises(ConfigError):
        load_config(None, host="0.0.0.0").check_open()  # noqa: S104 - that is the point
    load_config(None, host="0.0.0.0", allow={"addresses": ["10.0.0.0/8"]}).check_open()  # noqa: S104


def test_peers_are_written_as_they_are_read() -> None:
    for text in ("PACS@10.1.2.3:104", "tls://PACS ONE@pacs.hospital:2762", "A@[::1]:11112"):
        assert str(Peer.parse(text)) == text
