"""Who reviewed the program, and how a clinic can tell: reviewers' keys, signatures, trust files."""

from shared.signing.bundle import Bundle, BundleFacts, read_bundle
from shared.signing.fitting import misfits
from shared.signing.offer import CodeOffer, read_offer
from shared.signing.record import SignatureRecord, sign_bundle
from shared.signing.reviewer import Reviewer
from shared.signing.trusted_entities import check_trusted_entities, write_trusted_entities

__all__ = [
    "Bundle",
    "BundleFacts",
    "CodeOffer",
    "Reviewer",
    "SignatureRecord",
    "check_trusted_entities",
    "misfits",
    "read_bundle",
    "read_offer",
    "sign_bundle",
    "write_trusted_entities",
]
