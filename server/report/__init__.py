"""Report of a federated study, from what its clinics released and nothing else."""

from server.report.assemble import assemble_report

__all__ = ["assemble_report"]
