"""Objects on their way in: streamed to the disk, bounded, whole or not at all; DICOM's status for each."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import dcmread

from pneumoscope.errors import PneumoscopeError, StorageError
from pneumoscope.quiet import capture_warnings
from pneumoscope.server.intake.receiving import Receiving
from pneumoscope.server.node.log import short, tell
from pneumoscope.server.node.rules import Decision, decide, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import FileDataset

    from pneumoscope.server.node.config import NodeConfig
    from pneumoscope.server.node.metrics import NodeMetrics
    from pneumoscope.server.node.queue import Purpose, Queue

__all__ = ["CANNOT_UNDERSTAND", "DUPLICATE", "MISMATCH", "NO_RESOURCES", "SUCCESS", "Intake", "Received", "Receiving"]

# PS3.4 table B.2-1, and PS3.7 section 9.1.1.1.9 for the duplicate.
SUCCESS = 0x0000
DUPLICATE = 0x0111
NO_RESOURCES = 0xA700
MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an object: the status of DICOM, a comment for the sender, and whether a new film waits."""

    status: int
    comment: str = ""
    new: bool = False


class Intake:
    """Takes objects whose files lie in the queue's ``incoming`` folder, whichever way they came.

    Args:
        queue: Of the node.
        config: Its settings.
        metrics: Told of every object.
        secret: Key of the hashes by which the log calls films.
        room: Raises StorageError where there is no room for so many bytes.
        arrived: Told the number and study of a film that was taken.

    Attributes:
        studied: Told the patient's ID and the study of a film that was taken and is no earlier one.
    """

    def __init__(
        self,
        queue: Queue,
        config: NodeConfig,
        metrics: NodeMetrics,
        *,
        secret: bytes,
        room: Callable[[int], object],
        arrived: Callable[[int, str], object],
    ) -> None:
        self.queue, self.config = queue, config
        self._metrics, self._secret, self._room, self._arrived = metrics, secret, room, arrived
        self._priors: set[str] = set()
        self.studied: Callable[[str, str], object] = lambda _patient, _study: None

    def expect_prior(self, study: str) -> None:
        """The films of this study are asked for as earlier ones: their results are not sent."""
        self._priors.add(study)

    def open(self) -> Receiving:
        """A file for an object that comes."""
        return Receiving(self.queue.incoming, self.config.limits.object_mb * 2**20)

    def take(
        self,
        file: Receiving,
        *,
        sender: str,
        sop_class: str | None = None,
        instance: str | None = None,
    ) -> Received:
        """Take an object, or say why not. The file is gone afterwards.

        Args:
            file: All of it was written.
            sender: AE title or program.
            sop_class: As the sender announced it; None if it did not.
            instance: As the sender announced it.
        """
        key = "-" if instance is None else short(instance, self._secret)
        try:
            received, why = self._take(file, sender, sop_class, instance)
        except PneumoscopeError as error:
            received, why = Received(NO_RESOURCES, error.what[:64]), error.code
        except OSError as error:
            received, why = Received(NO_RESOURCES, "the disk cannot be read or written"), str(error.strerror)
        finally:
            file.remove()
        level = logging.INFO if received.status == SUCCESS else logging.WARNING
        tell(level, "received", film=key, sender=sender, status=f"{received.status:04X}", outcome=why)
        self._metrics.received(why if received.status == SUCCESS else f"{received.status:04X}")
        return received

    def _take(  # noqa: PLR0911 - one for each thing that can be wrong, in the order in which it is looked at
        self, file: Receiving, sender: str, sop_class: str | None, instance: str | None
    ) -> tuple[Received, str]:
        file.finish()
        if file.trouble is not None:
            return Received(NO_RESOURCES, file.trouble[:64]), f"not kept ({file.trouble})"
        header = _header(file.name)
        if header is None:
            return Received(CANNOT_UNDERSTAND, "the data set cannot be parsed"), "damaged"
        told = {name: str(header.get(name) or "") for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")}
        if not all(told.values()):
            return Received(CANNOT_UNDERSTAND, "a UID of the object is missing"), "no UID"
        announced = {"SOPClassUID": sop_class, "SOPInstanceUID": instance}
        if any(value is not None and value != told[name] for name, value in announced.items()):
            return Received(MISMATCH, "the UIDs are not those of the request"), "other UID"
        decision = decide(facts_of(header), self.config.rules)
        if not decision.read:
            return Received(SUCCESS), f"not read ({decision.rule})"
        path, study = Path(file.name), told["StudyInstanceUID"]
        purpose: Purpose = "prior" if study in self._priors else "send"
        self._room(path.stat().st_size)
        taken = self.queue.take(
            path,
            instance=told["SOPInstanceUID"],
            study=study,
            sop_class=told["SOPClassUID"],
            digest=data_set_digest(path),
            sender=sender,
            purpose=purpose,
        )
        if taken == "other":
            return Received(DUPLICATE, "this SOP instance is here with other content"), "duplicate"
        if taken == "same":
            return Received(SUCCESS), "known"
        number = self.queue.number_of(told["SOPInstanceUID"])
        if number is None:
            raise StorageError("the film was forgotten while it came")
        self._arrived(number, study)
        if purpose == "send":
            self.studied(str(header.get("PatientID") or ""), study)
        return Received(SUCCESS, new=True), "taken"


def _header(path: str) -> FileDataset | None:
    """All but the pixels; None if it cannot be parsed."""
    try:
        with capture_warnings():
            header = dcmread(path, stop_before_pixels=True, defer_size=2**16)
            header.remove_private_tags()
            str(header.get("PatientID"))  # parsed when it is asked for
            return header
    except Exception:  # noqa: BLE001 - whatever pydicom says of foreign bytes
        return None


def data_set_digest(path: Path) -> str:
    """The sha256 of the data set of a Part 10 file, without its meta information (PS3.10 section 7.1)."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(128 + 4)
        group_length = file.read(12)
        if group_length[:4] == b"\x02\x00\x00\x00":
            file.seek(int.from_bytes(group_length[8:12], "little"), 1)
        else:
            file.seek(0)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def decision_of(path: Path, config: NodeConfig) -> Decision | None:
    """What the rules say of a file; None if it is no DICOM."""
    header = _header(str(path))
    return None if header is None else decide(facts_of(header), config.rules)
