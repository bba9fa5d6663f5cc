"""Films that the node asks for itself: a patient's earlier examinations from the PACS, and new ones by DICOMweb.

Earlier examinations are found by C-FIND and fetched by C-GET or C-MOVE (PS3.4 annex C, Study Root); they are read and
filed beside the new one, and no result of theirs is sent. New ones are polled for by QIDO-RS and fetched by WADO-RS.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is imported
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.intake.receiving import Receiving
from pneumoscope.server.node.config import Peer
from pneumoscope.server.node.delivery import PeerRefused, associate
from pneumoscope.server.node.dicomweb import DicomWebClient
from pneumoscope.server.node.incoming import CANNOT_UNDERSTAND
from pneumoscope.server.node.log import tell
from pneumoscope.server.node.scp import quiet_pynetdicom

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.association import Association
    from pynetdicom.events import Event

    from pneumoscope.server.node.config import NodeConfig, Poll
    from pneumoscope.server.node.incoming import Intake

__all__ = ["Fetcher", "fetch_priors"]

_FILMS = tuple(
    map(
        str,
        (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation, SecondaryCaptureImageStorage),
    )
)
_MODALITIES = frozenset({"CR", "DX", "RG"})
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_PENDING = frozenset({0xFF00, 0xFF01})
_REMEMBERED = 100_000  # objects that were looked at


def fetch_priors(intake: Intake, config: NodeConfig, patient: str, but: str) -> int:
    """Fetch the earlier examinations of a patient from ``config.priors.source``.

    Args:
        intake: Takes them.
        config: Of the node.
        patient: Patient ID.
        but: Study Instance UID of the examination that is here already.

    Returns:
        How many studies were fetched.

    Raises:
        PeerUnreachable: The PACS does not answer.
        PeerRefused: It refuses.
    """
    quiet_pynetdicom()
    priors, peer = config.priors, Peer.parse(config.priors.source)
    model = str(
        StudyRootQueryRetrieveInformationModelGet
        if priors.method == "get"
        else StudyRootQueryRetrieveInformationModelMove
    )
    classes = [str(StudyRootQueryRetrieveInformationModelFind), model]
    association = associate(
        peer,
        config,
        classes,
        scp=_FILMS if priors.method == "get" else (),
        evt_handlers=[(evt.EVT_C_STORE, _taker(intake, peer))],
    )
    try:
        studies = _find(association, peer, patient, but, config)[: priors.most]
        for study in studies:
            intake.expect_prior(study)
            _retrieve(association, peer, study, model, config)
    finally:
        if association.is_established:
            association.release()
    return len(studies)


def _taker(intake: Intake, peer: Peer) -> Callable[[Event], int]:
    def take(event: Event) -> int:
        request: Any = event.request
        file = getattr(request, "_dataset_file", None)
        if not isinstance(file, Receiving):
            return CANNOT_UNDERSTAND
        instance = str(request.AffectedSOPInstanceUID)
        return intake.take(file, sender=peer.aet, sop_class=str(request.AffectedSOPClassUID), instance=instance).status

    return take


def _find(association: Association, peer: Peer, patient: str, but: str, config: NodeConfig) -> list[str]:
    """The studies of a patient with plain films, newest first."""
    today = datetime.now().astimezone().date()
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.PatientID = patient
    asked.StudyDate = f"{today - timedelta(days=365.25 * config.priors.years):%Y%m%d}-{today:%Y%m%d}"
    asked.StudyTime = asked.StudyInstanceUID = asked.ModalitiesInStudy = ""
    found: list[tuple[str, str, str]] = []
    for status, match in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind):
        code = status.get("Status")
        if code in _PENDING and match is not None:
            modalities = match.get("ModalitiesInStudy") or ""
            told = {modalities} if isinstance(modalities, str) else set(modalities)
            study = str(match.get("StudyInstanceUID") or "")
            # A PACS that does not know the attribute leaves it out; one that ignores the patient must not fill us.
            if (
                study != but
                and str(match.get("PatientID", patient)) == patient
                and (not told - {""} or told & _MODALITIES)
            ):
                found.append((str(match.get("StudyDate") or ""), str(match.get("StudyTime") or ""), study))
        elif code != 0x0000:
            raise PeerRefused(f"the question fails (status {_hex(code)})", where=str(peer))
    return [study for _, _, study in sorted(found, reverse=True) if study]


def _retrieve(association: Association, peer: Peer, study: str, model: str, config: NodeConfig) -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study
    if config.priors.method == "get":
        answers = association.send_c_get(asked, model)
    else:
        answers = association.send_c_move(asked, config.aet, model)
    last: int | None = None
    for status, _ in answers:
        last = status.get("Status")
    if last not in {0x0000, 0xB000}:  # B000: some objects were refused, as those that are no films
        raise PeerRefused(f"the study is not sent (status {_hex(last)})", where=str(peer))


def _hex(status: int | None) -> str:
    return "none" if status is None else f"{status:04X}"


class Fetcher:
    """Threads that ask: one for earlier examinations, one for each DICOMweb server that is polled.

    Args:
        intake: Takes what comes.
        config: Of the node.
    """

    def __init__(self, intake: Intake, config: NodeConfig) -> None:
        self._intake, self._config = intake, config
        self._stop = threading.Event()
        self._asked: set[str] = set()
        self._wanted: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._poll, args=(each,), name="node-poll", daemon=True) for each in config.poll
        ]
        if config.priors.source:
            self._threads.append(threading.Thread(target=self._fetch, name="node-priors", daemon=True))

    def open(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self, seconds: float) -> None:
        """Stop asking."""
        self._stop.set()
        self._wanted.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def study(self, patient: str, study: str) -> None:
        """A film of this patient and study has come."""
        if self._config.priors.source and patient and study not in self._asked:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked.add(study)
            self._wanted.put((patient, study))

    def _fetch(self) -> None:
        while not self._stop.is_set() and (wanted := self._wanted.get()) is not None:
            try:
                found = fetch_priors(self._intake, self._config, *wanted)
                tell(logging.INFO, "earlier examinations fetched", studies=found)
            except Exception as error:  # noqa: BLE001 - the new film is read all the same
                self._asked.discard(wanted[1])
                told = error if isinstance(error, PneumoscopeError) else type(error).__name__
                tell(logging.WARNING, "earlier examinations cannot be fetched", error=told)

    def _poll(self, poll: Poll) -> None:
        seen: set[str] = set()
        while not self._stop.is_set():
            try:
                self._look(poll, seen)
            except Exception as error:  # noqa: BLE001 - asked again
                told = error if isinstance(error, PneumoscopeError) else type(error).__name__
                tell(logging.WARNING, "a DICOMweb server cannot be polled", url=poll.url, error=told)
            if len(seen) > _REMEMBERED:
                seen.clear()
            self._stop.wait(poll.seconds)

    def _look(self, poll: Poll, seen: set[str]) -> None:
        """Fetch what is new on a server."""
        today = datetime.now().astimezone().date()
        date = f"{today - timedelta(days=poll.days):%Y%m%d}-{today:%Y%m%d}"
        login = self._config.login_for(poll.url)
        with DicomWebClient(poll.url, login, seconds=self._config.limits.network_seconds) as client:
            for modality in poll.modalities:
                studies = list(client.search("studies", {"ModalitiesInStudy": modality, "StudyDate": date}))
                for study in filter(None, (_value(each, "0020000D") for each in studies)):
                    for found in list(client.search(f"studies/{study}/instances", {"includefield": "00080060"})):
                        self._take(client, poll, study, found, seen)

    def _take(self, client: DicomWebClient, poll: Poll, study: str, found: dict[str, Any], seen: set[str]) -> None:
        series, instance = _value(found, "0020000E"), _value(found, "00080018")
        modality = next(iter(found.get("00080060", {}).get("Value", [])), None)
        known = instance is None or instance in seen or self._intake.queue.number_of(instance) is not None
        if known or series is None or instance is None or modality not in (None, *poll.modalities):
            return
        for file in client.retrieve(f"studies/{study}/series/{series}/instances/{instance}", self._intake.open):
            received = self._intake.take(file, sender=poll.url, instance=instance)
            if received.status == 0:
                seen.add(instance)


def _value(found: dict[str, Any], tag: str) -> str | None:
    """A UID out of the DICOM JSON model; None if there is none, or something else."""
    value = str(next(iter(found.get(tag, {}).get("Value", [])), ""))
    return value if _UID.fullmatch(value) else None
