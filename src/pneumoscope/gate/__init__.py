"""The gate: whether a film may be read at all, what can be mended, and why not if not."""

from pneumoscope.gate.admit import Admission, admit
from pneumoscope.gate.codes import CODES, Code, refusal
from pneumoscope.gate.mend import remended
from pneumoscope.gate.network import GateHead, gate_head
from pneumoscope.gate.shipped import shipped_gate
from pneumoscope.gate.spec import GateSpec

__all__ = [
    "CODES",
    "Admission",
    "Code",
    "GateHead",
    "GateSpec",
    "admit",
    "gate_head",
    "refusal",
    "remended",
    "shipped_gate",
]
