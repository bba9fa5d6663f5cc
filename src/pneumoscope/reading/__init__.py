"""From a film to a reading: the network's run, calibration, decision, evidence, and the reader that joins them."""

from pneumoscope.reading.calibrate import calibrate
from pneumoscope.reading.decide import decide_finding, decide_pattern, operating_point
from pneumoscope.reading.evidence import finding_evidence
from pneumoscope.reading.meaning import meaning
from pneumoscope.reading.reader import Reader, load
from pneumoscope.reading.session import Session

__all__ = [
    "Reader",
    "Session",
    "calibrate",
    "decide_finding",
    "decide_pattern",
    "finding_evidence",
    "load",
    "meaning",
    "operating_point",
]
