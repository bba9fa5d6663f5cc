"""What people read of a judgement: the report, the model card, the reporting sheets. No script, no request."""

from pneumoscope.evaluation.report.page import write_report

__all__ = ["write_report"]
