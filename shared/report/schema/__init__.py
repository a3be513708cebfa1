"""Models of the report document, a part each; :mod:`shared.report.document` has them all."""
