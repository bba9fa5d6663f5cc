"""What senders do wrong is logged and gets the right status of DICOM; nothing is lost, and the node serves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.uid import UID
from tests.node.conftest import StoreScp, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node.conftest import NodeProcess

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.22"


def test_one_node_meets_all_of_it_and_serves_on(
    node: NodeProcess, chest_film: Callable[..., Path], tmp_path: Path
) -> None:
    archive = StoreScp(tmp_path / "archive")  # a PACS that is down
    config = tmp_path / "node.toml"
    config.write_text(f'send_to = ["{archive.peer}"]\nstable_seconds = 0\nresults = ["sr"]\n[limits]\nobject_mb = 1\n')
    node.start("--config", str(config))

    def film(number: int, **changed: object) -> Path:
        return chest_film(tmp_path / f"{number}.dcm", study=f"1.2.840.99.{number}", number=number, **changed)

    # Half an object, and an association that ends in its middle.
    assert node.send_raw(film(1), stop_after=3) is None
    whole = dcmread(film(2))
    assert node.send_raw(film(2), b"\x08\x00\x05\x00CS\x0a\x00ISO_IR") == 0xC000
    eventually(lambda: not list((node.folder / "node" / "incoming").iterdir()), "nothing is left of half an object")
    assert node.events("association aborted")

    # Other UIDs than the request has, other content under a known UID, the same once more.
    assert node.send_raw(film(3), instance="1.2.840.99.7.7") == 0xA900
    assert node.send_raw(film(4)) == 0x0000
    assert node.send_raw(film(4)) == 0x0000
    assert node.send_raw(film(4, PatientID="0815")) == 0x0111

    # Too large; pixels that are not all there; what is no film.
    assert node.send_raw(film(5, side=1100)) == 0xA700
    whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = UID("1.2.840.99.2.9")
    whole.PixelData = whole.PixelData[:100]
    whole.save_as(tmp_path / "short.dcm", enforce_file_format=True)
    node.store(tmp_path / "short.dcm")
    slices = [film(number, SOPClassUID=CT, Modality="CT") for number in range(20, 25)]
    report = film(30, SOPClassUID=SR, Modality="SR")
    node.store(*slices, report)

    outcomes = [line["outcome"] for line in node.events("received")]
    assert outcomes.count("not read (no rule fits)") == 6
    assert outcomes.count("taken") == 2
    assert outcomes.count("known") == 1

    # The PACS comes back: both readings arrive, one of them a refusal.
    eventually(lambda: node.events("nothing could be sent"), "the PACS is down")
    archive.start()
    try:
        eventually(lambda: len(archive.files()) == 2, "both results have arrived")
        studies = {str(dcmread(path).StudyInstanceUID) for path in archive.files()}
    finally:
        archive.stop()
    assert studies == {"1.2.840.99.2", "1.2.840.99.4"}
    assert {line["outcome"] for line in node.events("read")} == {"read", "refused"}
    assert 'pneumoscope_node_queue{state="results_sent"} 2.0' in eventually(node.metrics, "figures")
