"""A film goes from storescu to the node, is read, and its report is found in Orthanc under the right study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.node.conftest import dcmtk, eventually

from pneumoscope.reports.dicom.results import RESULT_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node.conftest import NodeProcess, Orthanc


def test_a_study_from_storescu_has_its_reports_in_orthanc(
    node: NodeProcess, orthanc: Orthanc, chest_film: Callable[..., Path], tmp_path: Path
) -> None:
    orthanc.start(node.port)
    node.start("--send-to", orthanc.peer, "--stable-seconds", "0.3", "--results", "sr,sc,gsps,seg,map,pdf,kos")
    films = [chest_film(tmp_path / f"{number}.dcm", number=number) for number in (1, 2)]
    other = chest_film(tmp_path / "other.dcm", study="1.2.840.99.2", PatientID="0815")

    assert dcmtk("echoscu", "-aec", "PNEUMOSCOPE", "127.0.0.1", node.port).returncode == 0
    node.store(*films, other)
    reports = eventually(lambda: len(found := orthanc.instances("SR")) == 3 and found, "three reports in Orthanc")

    tags = [report["tags"] for report in reports]
    assert sorted(each["StudyInstanceUID"] for each in tags) == ["1.2.840.99.1", "1.2.840.99.1", "1.2.840.99.2"]
    assert {each["PatientID"] for each in tags} == {"4711", "0815"}
    assert {each["SOPClassUID"] for each in tags} <= {"1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.34"}
    assert len({each["SOPInstanceUID"] for each in tags}) == 3
    assert len(node.readings()) == 3
    eventually(lambda: len(node.events("sent")) >= sum(line["results"] for line in node.events("read")), "all is sent")
    kinds = {each["tags"]["SOPClassUID"] for each in orthanc.instances("*") if each["tags"]["PatientID"] == "0815"}
    names = {name for name, kind in RESULT_KINDS.items() if kind.sop_class in kinds}
    assert names >= {"sr", "sc", "gsps", "seg", "map", "pdf"}
    assert not [word for word in ("Müller", "4711", "1.2.840.99.1") if word in node.log]


def test_wrong_titles_are_rejected_and_the_node_goes_on(
    node: NodeProcess, chest_film: Callable[..., Path], tmp_path: Path
) -> None:
    node.start("--allow-aet", "MODALITY", "--allow-address", "127.0.0.0/8")
    film = chest_film(tmp_path / "film.dcm")

    called = dcmtk("echoscu", "-aet", "MODALITY", "-aec", "OTHER", "127.0.0.1", node.port, check=False)
    calling = node.store(film, aet="STRANGER", check=False)

    assert "Called AE Title Not Recognized" in called.stderr
    assert "Calling AE Title Not Recognized" in calling.stderr
    assert len(node.events("association rejected")) == 2
    node.store(film)
    assert node.events("received")[-1]["outcome"] == "taken"


def test_an_address_that_is_not_allowed_is_rejected(node: NodeProcess) -> None:
    node.start("--allow-address", "10.0.0.0/8")

    said = dcmtk("echoscu", "-aec", "PNEUMOSCOPE", "127.0.0.1", node.port, check=False)

    assert said.returncode != 0
    assert "Rejected" in said.stderr
    eventually(lambda: node.events("association rejected"), "it is told")
