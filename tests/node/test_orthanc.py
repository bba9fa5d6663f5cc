"""Orthanc as the peer of storage commitment, of DICOMweb, and of the search for earlier examinations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.node.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node.conftest import NodeProcess, Orthanc

CR = "1.2.840.10008.5.1.4.1.1.1"


@pytest.mark.parametrize("method", ["get", pytest.param("move", marks=pytest.mark.slow)])
def test_a_pacs_commits_gives_earlier_films_and_gets_results_by_dicomweb(
    node: NodeProcess, orthanc: Orthanc, chest_film: Callable[..., Path], tmp_path: Path, method: str
) -> None:
    orthanc.start(node.port)
    config = tmp_path / "node.toml"
    config.write_text(
        f'send_to = ["{orthanc.web}"]\npeers = ["{orthanc.peer}"]\nstable_seconds = 0.2\n'
        f'[priors]\nsource = "{orthanc.peer}"\nmethod = "{method}"\n'
    )
    today = datetime.now(UTC)
    old, new, other = "1.2.840.99.1", "1.2.840.99.2", "1.2.840.99.3"
    for study, patient, age in ((old, "4711", 300), (new, "4711", 0), (other, "0815", 300)):
        film = chest_film(
            tmp_path / f"{study}.dcm",
            study,
            number=len(study + patient) + age,
            PatientID=patient,
            StudyDate=f"{today - timedelta(days=age):%Y%m%d}",
        )
        orthanc.post("/instances", film.read_bytes())
    node.start("--config", str(config))

    wanted = orthanc.post("/tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": new}})
    orthanc.post("/modalities/node/store", {"Resources": wanted, "StorageCommitment": False})
    instance = f"{new}.1.{len(new + '4711')}"
    asked = orthanc.post(
        "/modalities/node/storage-commitment", {"DicomInstances": [[CR, instance], [CR, "1.2.840.99.404"]]}
    )
    answer = eventually(
        lambda: (got := orthanc.get(f"/storage-commitment/{asked['ID']}"))["Status"] != "Pending" and got, "an answer"
    )
    assert [each["SOPInstanceUID"] for each in answer["Success"]] == [instance]
    assert [each["SOPInstanceUID"] for each in answer["Failures"]] == ["1.2.840.99.404"]

    report = eventually(lambda: orthanc.instances("SR"), "the report has come by STOW-RS")
    assert [each["tags"]["StudyInstanceUID"] for each in report] == [new]
    eventually(lambda: len(node.readings()) == 2, "the earlier film of the same patient has been read, too")
    assert node.events("earlier examinations fetched")[0]["studies"] == 1


def test_a_pacs_is_polled_by_dicomweb(
    node: NodeProcess, orthanc: Orthanc, chest_film: Callable[..., Path], tmp_path: Path
) -> None:
    orthanc.start(node.port)
    config = tmp_path / "node.toml"
    config.write_text(
        f'send_to = ["{orthanc.peer}"]\nstable_seconds = 0\n[[poll]]\nurl = "{orthanc.web}"\nseconds = 0.5\n'
    )
    today = f"{datetime.now(UTC):%Y%m%d}"
    orthanc.post("/instances", chest_film(tmp_path / "film.dcm", StudyDate=today).read_bytes())
    node.start("--config", str(config))

    report = eventually(lambda: orthanc.instances("SR"), "the report of the film that was fetched")

    assert [each["tags"]["StudyInstanceUID"] for each in report] == ["1.2.840.99.1"]
