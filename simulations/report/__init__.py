"""The study as one page: a self-contained HTML file made from a ``Results`` object.

No script, no font and no image comes from elsewhere, so the file can be mailed, archived and opened
without a network. Every number on it is in ``results.json``, or follows from it by a formula that
the page states.
"""

from simulations.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
