"""The audit for people: one page, and the files beside it."""

from pneumoscope.evaluation.audit_page.bundle import bundle_predictions
from pneumoscope.evaluation.audit_page.files import write_audit
from pneumoscope.evaluation.audit_page.page import audit_page

__all__ = ["audit_page", "bundle_predictions", "write_audit"]
