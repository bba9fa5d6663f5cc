"""The DICOM conformance statement (PS3.2), written from the tables that the node and the results work by."""

from __future__ import annotations

from pydicom.uid import UID
from pynetdicom import AllStoragePresentationContexts

from pneumoscope import __version__
from pneumoscope.reports.dicom.results import RESULT_KINDS
from pneumoscope.server.node.scp import TRANSFER_SYNTAXES
from pneumoscope.settings import NOTICE

__all__ = ["conformance_statement"]

_EXPLICIT = "1.2.840.10008.1.2.1"
_FILMS = ("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7")


def conformance_statement() -> str:
    """The statement in Markdown, with PS3.2's order of sections."""
    classes = sorted({str(context.abstract_syntax) for context in AllStoragePresentationContexts})
    parts = [
        f"# DICOM conformance statement\n\npneumoscope {__version__}. {NOTICE}\n",
        "## 1. Overview\n\n"
        "pneumoscope takes chest radiographs, reads them and sends results back. Network services:\n\n"
        + _table(
            ("SOP class", "UID", "User (SCU)", "Provider (SCP)"),
            [
                ("Verification", "1.2.840.10008.1.1", "no", "yes"),
                ("Storage Commitment Push Model", "1.2.840.10008.1.20.1", "no", "yes"),
                ("Study Root Query/Retrieve, FIND", "1.2.840.10008.5.1.4.1.2.2.1", "earlier films", "no"),
                ("Study Root Query/Retrieve, MOVE", "1.2.840.10008.5.1.4.1.2.2.2", "earlier films", "no"),
                ("Study Root Query/Retrieve, GET", "1.2.840.10008.5.1.4.1.2.2.3", "earlier films", "no"),
                ("Storage, of all kinds (section 4.2)", "", "results", "yes"),
                *((kind.title, kind.sop_class, "yes", "kept, not read") for kind in RESULT_KINDS.values()),
            ],
        ),
        "## 2. Introduction\n\nFor who connects the node to a PACS. The numbers of parts and sections are those of the "
        "DICOM standard. Conformance does not promise that two systems work together: test both.\n",
        "## 3. Implementation model\n\nOne application entity, `PNEUMOSCOPE` unless another title is set. A film comes "
        "by C-STORE (or is fetched); it is read when its study is stable; each result is sent by C-STORE or STOW-RS "
        "until it has arrived, with the same UIDs each time.\n",
        "## 4. Specification of the application entity\n\n### 4.1 Associations\n\nSettings of the node "
        "([DICOM node](dicom-node.md)) say who may call, how many at once, and how long a peer may be silent. "
        "Asynchronous operations are not negotiated.\n\n### 4.2 Accepted as provider\n\nStorage is accepted for the "
        f"{len(classes)} storage SOP classes of PS3.4 annex B, so that a whole study can be sent; read are:\n\n"
        + _table(("SOP class", "UID"), [(UID(uid).name, uid) for uid in _FILMS])
        + "\nTransfer syntaxes accepted (as installed where this was written):\n\n"
        + _table(("Transfer syntax", "UID"), [(UID(uid).name, uid) for uid in TRANSFER_SYNTAXES]),
        "### 4.3 Proposed as user\n\nResults, in Explicit VR Little Endian:\n\n"
        + _table(
            ("Option", "SOP class", "UID", "Transfer syntax"),
            [
                (f"`{kind.name}`", UID(kind.sop_class).name, kind.sop_class, UID(_EXPLICIT).name)
                for kind in RESULT_KINDS.values()
            ],
        ),
        "## 5. Objects that are made\n\nEach in a series of its own in the film's study, under its patient, with "
        "numbers from 9801 on. UIDs are made of a UUID (PS3.5 B.2) from the film's SOP Instance UID, the bundle's "
        "hash, the kind and what was read. Copied from the film: Patient ID, name, birth date and sex, accession "
        "number, Study Instance UID, ID, date and time, referring physician. Private attributes: none. Private codes: "
        "scheme `99PNEUMOSCOPE`, identified in Coding Scheme Identification Sequence. "
        "See [results as DICOM](dicom-results.md).\n",
        "## 6. Character sets\n\nResults are in ISO_IR 192 (UTF-8); films in any set that pydicom decodes.\n",
        "## 7. Security\n\nTLS with certificates of both sides, where it is set. Audit: the worklist's own log.\n",
        "## 8. Integration profile statement\n\n"
        + _table(
            ("IHE profile", "Actor", "Remarks"),
            [
                (
                    "AI Results (AIR)",
                    "Evidence Creator",
                    "qualitative findings, measurements, regions, parametric map, segmentation, key objects; "
                    "not tried at a Connectathon",
                )
            ],
        ),
    ]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
