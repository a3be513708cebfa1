"""Headings of the sections, and the three parts of the page they stand in."""

from typing import Final

__all__ = ["HEADINGS", "PARTS"]

HEADINGS: Final[dict[str, str]] = {
    "intended_use": "Intended use and limits of use",
    "participant_flow": "Participant flow",
    "data": "Data and reference standard",
    "index_test": "Index test",
    "methods": "Methods",
    "sample_size": "Sample size and attainable precision",
    "performance": "Performance at the threshold",
    "roc": "ROC curve",
    "calibration": "Calibration",
    "decision_curve": "Decision curve",
    "protocols": "Protocols and over-fitting",
    "combinations": "All combinations of attributes",
    "group_differences": "Group differences",
    "coefficients": "Weights of the model",
    "example": "One recording over time",
    "uncertainty": "Uncertainty of a single call",
    "fairness": "Fairness",
    "missingness": "Missing data",
    "baselines": "Ways to train, side by side",
    "privacy": "Privacy statement",
    "federation": "Federation",
    "software": "Software and hashes",
    "limits": "Limits",
    "checklists": "Reporting checklists",
}
"""By the section's key, in reading order."""

PARTS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Study",
        ("intended_use", "participant_flow", "data", "index_test", "methods", "sample_size"),
    ),
    (
        "Results",
        (
            "performance",
            "roc",
            "calibration",
            "decision_curve",
            "protocols",
            "combinations",
            "group_differences",
            "coefficients",
            "example",
            "uncertainty",
            "fairness",
            "missingness",
            "baselines",
        ),
    ),
    (
        "Privacy and provenance",
        ("privacy", "federation", "software", "limits", "checklists"),
    ),
)
