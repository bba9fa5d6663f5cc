"""Whether the evidence deserves its name: checks that could fail."""

from __future__ import annotations

from pneumoscope.evaluation.sanity.lungs import lungs_of_the_house
from pneumoscope.evaluation.sanity.result import SanityResult
from pneumoscope.evaluation.sanity.run import Effort, run_sanity

__all__ = ["Effort", "SanityResult", "lungs_of_the_house", "run_sanity"]
