"""The study report: one JSON document, and one self-contained page rendered from it alone."""

from shared.report.document import Report
from shared.report.page import render_report, write_report

__all__ = ["Report", "render_report", "write_report"]
