"""The node as a service class provider: Verification, Storage, Storage Commitment (PS3.4 annexes A, B and J)."""

from __future__ import annotations

import logging
import ssl
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, _config, dimse_messages, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is imported
    StorageCommitmentPushModel,
    Verification,
)

from pneumoscope.errors import ConfigError, PneumoscopeError, UsageError
from pneumoscope.server.intake.receiving import Receiving
from pneumoscope.server.node.incoming import CANNOT_UNDERSTAND, NO_RESOURCES
from pneumoscope.server.node.log import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

    from pneumoscope.server.node.config import NodeConfig, Tls
    from pneumoscope.server.node.incoming import Intake
    from pneumoscope.server.node.metrics import NodeMetrics

__all__ = ["TRANSFER_SYNTAXES", "Provider", "client_context"]

_MAX_PDU = 2**18  # bytes; large ones save work, and one of each association is held in memory
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_RLE = ("1.2.840.10008.1.2.5",)
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91))

TRANSFER_SYNTAXES = _UNCOMPRESSED + _RLE + (_JPEG if find_spec("libjpeg") and find_spec("openjpeg") else ())
"""What films may come in: what can be decoded here, the plainest first."""

_NOT_AUTHORISED, _NO_SUCH_ACTION, _PROCESSING_FAILURE = 0x0124, 0x0123, 0x0110


class Provider:
    """Listens for associations.

    Args:
        config: The settings.
        intake: Takes the objects.
        metrics: Told of associations.
    """

    def __init__(self, config: NodeConfig, intake: Intake, metrics: NodeMetrics) -> None:
        self._config, self._intake, self._metrics = config, intake, metrics
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """On which it listens."""
        if self._server is None or self._server.socket is None:
            raise UsageError("the node does not listen")
        return int(self._server.socket.getsockname()[1])

    def open(self) -> None:
        """Begin to listen.

        Raises:
            UsageError: The port is taken, or the address is not of this machine.
            ConfigError: The certificates cannot be used.
        """
        config = self._config
        quiet_pynetdicom()
        _stream_to_disk(self._intake)
        entity = AE(ae_title=config.aet)
        entity.maximum_associations = config.limits.associations
        entity.maximum_pdu_size = _MAX_PDU
        entity.network_timeout = entity.dimse_timeout = config.limits.network_seconds
        entity.acse_timeout = min(30.0, config.limits.network_seconds)
        entity.require_called_aet = True
        entity.require_calling_aet = list(config.allow.aets)
        entity.add_supported_context(Verification)
        entity.add_supported_context(StorageCommitmentPushModel)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), list(TRANSFER_SYNTAXES))
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_CONN_CLOSE, self._closed),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]
        try:
            self._server = entity.start_server(
                (config.host, config.port), block=False, evt_handlers=handlers, ssl_context=server_context(config.tls)
            )
        except OSError as error:
            raise UsageError(
                f"the node cannot listen here ({(error.strerror or str(error)).lower()})",
                where=f"{config.host}:{config.port}",
                remedy="Give another --host or --port; --port 0 takes a free one",
            ) from error

    def close(self) -> None:
        """Stop listening; associations end."""
        if self._server is not None:
            self._server.shutdown()
            for association in list(self._server.active_associations):
                association.abort()
            self._server = None

    def _requested(self, event: Event) -> None:
        address = str(event.assoc.requestor.address)
        if not self._config.allow.address(address):
            # PS3.8 section 9.3.4: permanent, by the service user, no reason given.
            event.assoc.acse.send_reject(0x01, 0x01, 0x01)
            event.assoc.kill()
            self._rejected(event)

    def _rejected(self, event: Event) -> None:
        self._metrics.association("rejected")
        tell(logging.WARNING, "association rejected", **_peer(event))

    def _established(self, event: Event) -> None:
        self._metrics.association("accepted")
        tell(logging.INFO, "association accepted", **_peer(event))

    def _aborted(self, event: Event) -> None:
        self._metrics.association("aborted")
        tell(logging.WARNING, "association aborted", **_peer(event))

    @staticmethod
    def _closed(event: Event) -> None:
        """Take away what an association left that ended in the middle of an object."""
        message = getattr(event.assoc.dimse, "message", None)
        file = getattr(message, "_data_set_file", None)
        if isinstance(file, Receiving):
            file.remove()

    @staticmethod
    def _echo(_: Event) -> int:
        return 0x0000

    def _store(self, event: Event) -> Dataset:
        """Take an object; whatever happens, the sender is told, and the node goes on."""
        request: Any = event.request
        answer = Dataset()
        file = getattr(request, "_dataset_file", None)
        if not isinstance(file, Receiving):
            answer.Status = CANNOT_UNDERSTAND
            return answer
        try:
            received = self._intake.take(
                file,
                sender=_title(event.assoc.requestor.ae_title),
                sop_class=str(request.AffectedSOPClassUID),
                instance=str(request.AffectedSOPInstanceUID),
            )
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose the association
            tell(logging.ERROR, "an object could not be taken", error=type(error).__name__, **_peer(event))
            answer.Status = NO_RESOURCES
            return answer
        answer.Status = received.status
        if received.comment:
            answer.ErrorComment = received.comment[:64]
        return answer

    def _commit(self, event: Event) -> tuple[int, Dataset | None]:
        """Storage commitment, PS3.4 annex J.3.2: the answer goes to the peer by an association of our own."""
        peer = _title(event.assoc.requestor.ae_title)
        if event.action_type != 1:
            return _NO_SUCH_ACTION, None
        if self._config.peer(peer) is None:
            tell(logging.WARNING, "storage commitment asked by an unknown peer: name it in peers", **_peer(event))
            return _NOT_AUTHORISED, None
        try:
            asked = event.action_information
            references = [
                (str(each.ReferencedSOPClassUID), str(each.ReferencedSOPInstanceUID))
                for each in asked.ReferencedSOPSequence
            ]
            self._intake.queue.commit(str(asked.TransactionUID), peer, references)
        except (AttributeError, PneumoscopeError) as error:
            tell(logging.WARNING, "storage commitment refused", error=str(error), **_peer(event))
            return _PROCESSING_FAILURE, None
        tell(logging.INFO, "storage commitment asked", objects=len(references), **_peer(event))
        return 0x0000, None


def _title(raw: object) -> str:
    """An AE title as text that cannot break a line of the log."""
    text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)
    return "".join(each if each.isprintable() else "?" for each in text).strip()


def _peer(event: Event) -> dict[str, object]:
    requestor = event.assoc.requestor
    return {"peer": _title(requestor.ae_title), "address": requestor.address}


def quiet_pynetdicom() -> None:
    """Keep pynetdicom's own log back: it may write identifiers of patients. What matters is told by events."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    _config.LOG_HANDLER_LEVEL = "none"


def _stream_to_disk(intake: Intake) -> None:
    """Have objects written to the disk while they come.

    pynetdicom does so into the system's temporary folder, without a limit, and a full disk ends its thread. It asks
    this name of its module for the file; there is no other way to give it one of ours.
    """
    _config.STORE_RECV_CHUNKED_DATASET = True

    def named(**_: object) -> Receiving:
        return intake.open()

    dimse_messages.NamedTemporaryFile = named  # type: ignore[assignment,attr-defined]


def server_context(tls: Tls) -> ssl.SSLContext | None:
    """TLS of the node as a server; None without a certificate.

    Raises:
        ConfigError: The files cannot be used.
    """
    if not tls.certificate:
        return None
    with _certificates(tls):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.ca:
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS towards a peer, whose certificate must come from ``tls.ca``, or from the system's authorities.

    Raises:
        ConfigError: The files cannot be used.
    """
    with _certificates(tls):
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca or None)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key)
        return context


@contextmanager
def _certificates(tls: Tls) -> Iterator[None]:
    """Turn what is wrong with certificates into a sentence."""
    try:
        yield
    except OSError as error:  # of which ssl.SSLError is one
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the certificates cannot be used ({reason})",
            where=f"tls ({tls.certificate or tls.ca})",
            remedy="Give PEM files of a certificate, its key and its authorities",
        ) from error
