"""Audits: how much an attacker who knows everything else really finds out about one participant.

An audit can only refute. It runs the mechanism many times with and without a participant made as
visible as possible, and bounds from below the privacy parameter that such a difference allows.
"""

from simulations.audit.finding import Finding
from simulations.audit.many_runs import audit_arithmetic, rounds_to_audit
from simulations.audit.mechanism import PRODUCT, Mechanism

__all__ = ["PRODUCT", "Finding", "Mechanism", "audit_arithmetic", "rounds_to_audit"]
