"""Sends results: to each destination by a thread of its own, again and again until they arrived, with pauses that grow.

A result is marked as sent when the destination has said so; a kill between the two sends it again, the same object.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Protocol

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]  # made at import

from pneumoscope.errors import PneumoscopeError
from pneumoscope.quiet import capture_warnings
from pneumoscope.server.node.config import Peer, is_url
from pneumoscope.server.node.log import tell
from pneumoscope.server.node.scp import TRANSFER_SYNTAXES, client_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pynetdicom.association import Association

    from pneumoscope.server.node.config import NodeConfig
    from pneumoscope.server.node.metrics import NodeMetrics
    from pneumoscope.server.node.queue import Commitment, PendingResult, Queue

__all__ = ["Courier", "DicomSender", "PeerRefused", "PeerUnreachable", "ResultSender", "associate", "sender_for"]

_FIRST_PAUSE = 1.0  # seconds after the first failure; doubled by each that follows
_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known one (PS3.4 annex J.3.5)
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NO_RESOURCES = range(0xA700, 0xA800)
_THERE_ALREADY = 0x0111


class PeerUnreachable(PneumoscopeError):
    """A destination that does not answer: it is tried again for as long as it takes."""

    code = "peer-unreachable"


class PeerRefused(PneumoscopeError):
    """A destination that says no to one result."""

    code = "peer-refused"


class ResultSender(Protocol):
    """A way to a destination."""

    def send(self, results: Iterable[PendingResult]) -> Iterator[tuple[PendingResult, PeerRefused | None]]:
        """Send results, and tell of each when it has arrived, or why the destination refused it.

        Raises:
            PeerUnreachable: It does not answer (any more), or has no room now.
        """
        ...


class DicomSender:
    """Sends by C-STORE.

    Args:
        peer: The destination.
        config: Of the node.
    """

    def __init__(self, peer: Peer, config: NodeConfig) -> None:
        self._peer, self._config = peer, config

    def send(self, results: Iterable[PendingResult]) -> Iterator[tuple[PendingResult, PeerRefused | None]]:
        """Send results on one association."""
        results = list(results)
        classes = dict.fromkeys(each.sop_class for each in results)
        association = associate(self._peer, self._config, list(classes))
        done = False
        try:
            taken = {str(context.abstract_syntax) for context in association.accepted_contexts}
            for result in results:
                if result.sop_class not in taken:
                    yield result, PeerRefused(f"the class {result.sop_class} is not taken", where=str(self._peer))
                else:
                    yield result, self._store(association, result)
            done = True
        finally:
            if done and association.is_established:
                association.release()
            elif association.is_established:
                association.abort()

    def _store(self, association: Association, result: PendingResult) -> PeerRefused | None:
        try:
            with capture_warnings():
                answer = association.send_c_store(dcmread(result.path))
        except FileNotFoundError:
            return PeerRefused("the file of the result is gone", where=result.path)
        except (RuntimeError, ValueError, AttributeError, OSError) as error:
            if not association.is_established:
                raise PeerUnreachable("the association has ended", where=str(self._peer)) from error
            return PeerRefused(f"it cannot be sent ({error})", where=str(self._peer))
        status = answer.get("Status")
        if status is None:
            raise PeerUnreachable("no answer came", where=str(self._peer))
        if status in _NO_RESOURCES:
            raise PeerUnreachable(f"it has no room now (status {status:04X})", where=str(self._peer))
        if status in {0x0000, _THERE_ALREADY} or 0xB000 <= status < 0xC000:
            return None
        return PeerRefused(f"status {status:04X} {answer.get('ErrorComment', '')}".strip(), where=str(self._peer))


def associate(
    peer: Peer, config: NodeConfig, classes: list[str], *, scp: tuple[str, ...] = (), **options: object
) -> Association:
    """Open an association.

    Args:
        peer: Who is called.
        config: Of the node, whose AE title calls.
        classes: SOP classes that are asked for.
        scp: Those in which this node is the provider.
        **options: For pynetdicom.

    Raises:
        PeerUnreachable: It does not answer, or says no.
    """
    entity = AE(ae_title=config.aet)
    entity.acse_timeout = entity.connection_timeout = min(30.0, config.limits.network_seconds)
    entity.dimse_timeout = entity.network_timeout = config.limits.network_seconds
    if peer.tls:
        options["tls_args"] = (client_context(config.tls), peer.host)
    roles = [build_role(each, scp_role=True, scu_role=each in classes) for each in scp]
    contexts = [build_context(each) for each in classes]
    images = list(TRANSFER_SYNTAXES)
    contexts += [build_context(each, images) if each.startswith(_STORAGE) else build_context(each) for each in scp]
    association = entity.associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.aet,
        ext_neg=roles,  # type: ignore[arg-type]  # roles are negotiation items
        **options,  # type: ignore[arg-type]
    )
    if not association.is_established:
        why = "it rejects the association" if association.is_rejected else "it does not answer"
        raise PeerUnreachable(why, where=str(peer), remedy="See that it runs and knows this AE title")
    return association


class Courier:
    """Keeps what goes out moving: a thread for each destination, and one for storage commitment.

    Args:
        queue: Of the node.
        config: Its settings.
        metrics: Told of every try.
        ways: The way to a destination, by how it is written.
    """

    def __init__(
        self, queue: Queue, config: NodeConfig, metrics: NodeMetrics, ways: Callable[[str], ResultSender]
    ) -> None:
        self._queue, self._config, self._metrics = queue, config, metrics
        self._stop = threading.Event()
        self._nudges: list[threading.Event] = []
        self._threads: list[threading.Thread] = []
        places = dict.fromkeys([*config.send_to, *sorted(queue.destinations())])  # older ones get what is theirs, too
        for place in places:
            self._add(place, partial(self._send, place, ways(place)))
        self._add("storage commitment", self._commit)

    def _add(self, name: str, work: Callable[[], bool]) -> None:
        nudge = threading.Event()
        self._nudges.append(nudge)
        self._threads.append(
            threading.Thread(target=self._run, args=(name, work, nudge), name=f"node-send-{name}", daemon=True)
        )

    def open(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def ready(self) -> None:
        """There is something to send."""
        for nudge in self._nudges:
            nudge.set()

    def close(self, seconds: float) -> None:
        """Finish what is in hand."""
        self._stop.set()
        self.ready()
        for thread in self._threads:
            thread.join(seconds)

    def _run(self, name: str, work: Callable[[], bool], nudge: threading.Event) -> None:
        """Do the work whenever there is some; after a failure wait, twice as long each time."""
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            nudge.clear()
            try:
                more = work()
            except Exception as error:  # noqa: BLE001 - whatever fails is tried again
                told = error if isinstance(error, PneumoscopeError) else type(error).__name__
                tell(logging.WARNING, "nothing could be sent", destination=name, error=told, pause=f"{pause:g}")
                self._metrics.sent("unreachable")
                self._stop.wait(pause)
                pause = min(2 * pause, self._config.limits.longest_pause_seconds)
                continue
            pause = _FIRST_PAUSE
            if not more:
                nudge.wait(_IDLE)

    def _send(self, place: str, way: ResultSender) -> bool:
        """Send what waits for a destination; whether more may wait."""
        waiting = self._queue.pending(place)
        if not waiting:
            return False
        refused = None
        for result, refusal in way.send(waiting):
            if refusal is None:
                self._queue.sent(result)
                self._metrics.sent("sent")
                tell(logging.INFO, "sent", destination=place, kind=result.kind)
                continue
            refused = refusal
            given_up = self._queue.refused(result, str(refusal), most=self._config.limits.refusals)
            self._metrics.sent("refused")
            level = logging.ERROR if given_up else logging.WARNING
            tell(level, "refused", destination=place, kind=result.kind, error=refusal, given_up=given_up)
        if refused is not None:
            raise refused
        return True

    def _commit(self) -> bool:
        """Send the answers to storage commitment."""
        failed: PneumoscopeError | None = None
        for commitment in self._queue.commitments():
            peer = self._config.peer(commitment.peer)
            if peer is None or commitment.refusals >= 10 * self._config.limits.refusals:
                tell(logging.ERROR, "an answer to storage commitment is given up", peer=commitment.peer)
                self._queue.committed(commitment)
                continue
            try:
                self._report(peer, commitment)
            except PneumoscopeError as error:
                self._queue.commitment_refused(commitment)
                failed = error
                continue
            self._queue.committed(commitment)
            tell(logging.INFO, "storage commitment answered", peer=peer.aet, missing=len(commitment.missing))
        if failed is not None:
            raise failed
        return False

    def _report(self, peer: Peer, commitment: Commitment) -> None:
        """N-EVENT-REPORT, PS3.4 annex J.3.3: type 1 if all is held, 2 if something is not."""
        report = Dataset()
        report.TransactionUID = commitment.transaction
        if commitment.held:
            report.ReferencedSOPSequence = [_reference(*each) for each in commitment.held]
        if commitment.missing:
            report.FailedSOPSequence = [_failure(*each) for each in commitment.missing]
        model = str(StorageCommitmentPushModel)
        association = associate(peer, self._config, [], scp=(model,))
        try:
            status, _ = association.send_n_event_report(
                report, 2 if commitment.missing else 1, model, _COMMITMENT_INSTANCE
            )
        except (RuntimeError, ValueError) as error:
            raise PeerUnreachable(f"the report cannot be sent ({error})", where=str(peer)) from error
        finally:
            if association.is_established:
                association.release()
        if status.get("Status") != 0x0000:
            raise PeerRefused(f"status {status.get('Status', 'none')}", where=str(peer))


_IDLE = 5.0  # seconds between two looks where nobody says that there is something


def _reference(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def _failure(sop_class: str, instance: str, reason: int) -> Dataset:
    item = _reference(sop_class, instance)
    item.FailureReason = reason
    return item


def sender_for(place: str, config: NodeConfig) -> ResultSender:
    """The way to a destination."""
    if is_url(place):
        from pneumoscope.server.node.dicomweb import DicomWebSender  # noqa: PLC0415 - httpx, where it is needed

        return DicomWebSender(place, config)
    return DicomSender(Peer.parse(place), config)
