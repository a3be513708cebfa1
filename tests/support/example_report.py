"""Reports shaped like real ones, made up: full, all withheld, and a real cohort that leaves."""

from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, all_combinations, combination_name
from shared.features.statistics import STATISTICS
from shared.report import document as d
from shared.report.checklist import fill_checklists

__all__ = ["complete_report", "real_cohort_report", "withheld_report"]

CREATED = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
CLINICS = ("Clinic Nord", "Clinic Ost", "Clinic Süd", "Clinic West")
SHARED: dict[str, Any] = {"status": "local"}


def interval(value: float, half: float, method: str = "bootstrap, 2000 draws") -> d.Estimate:
    low, high = value - half, value + half
    if 0 <= value <= 1 and method != "difference":
        low, high = max(low, 0.0), min(high, 1.0)
    return d.Estimate(value=value, low=low, high=high, method=method)


def scores(shift: float = 0.0, half: float = 0.09) -> dict[str, d.Estimate]:
    base = {
        "sensitivity": 0.7551,
        "specificity": 0.6923,
        "balanced_accuracy": 0.7237,
        "auc": 0.7912,
    }
    return {key: interval(value + shift, half) for key, value in base.items()}


def complete_report(kind: d.Kind = "surrogate", *, leaves_clinic: bool = False) -> d.Report:
    """Every section filled."""
    generator = np.random.default_rng(7)
    facts = _facts(kind)
    return d.Report(
        kind=kind,
        leaves_clinic=leaves_clinic,
        title="ASD from facial affect in videos: a federated evaluation",
        subtitle="One surrogate cohort of 88 children in 4 clinics, calibrated to Li et al. 2019"
        if kind == "surrogate"
        else "88 children in 4 clinics",
        created=CREATED,
        **facts,
        **_accuracy(generator),
        **_attributes(generator),
        **_trust(),
        **_privacy(),
    )


def withheld_report() -> d.Report:
    """Nothing was released but what the schema needs: every section says so."""

    def withheld(section: type[d.Section]) -> Any:
        return section(
            status="not_released",
            cost_mu=0.214,
            note="The study did not ask for it; a later study can, for this much of the budget.",
        )

    return d.Report(
        kind="federated",
        leaves_clinic=True,
        title="A study that released nothing",
        created=CREATED,
        **{
            key: withheld(d.Report.model_fields[key].annotation)  # type: ignore[arg-type]
            for key in d.SECTIONS
        },
    )


def real_cohort_report() -> d.Report:
    """A real cohort with small cells, made to be handed on."""
    full = complete_report("cohort")
    small: Literal["<10"] = "<10"
    hidden: Literal["suppressed"] = "suppressed"
    clinics = (
        d.ClinicCounts(clinic=CLINICS[0], participants=34, asd=22, non_asd=12),
        d.ClinicCounts(clinic=CLINICS[1], participants=26, asd=13, non_asd=13),
        d.ClinicCounts(clinic=CLINICS[2], participants=hidden, asd=hidden, non_asd=small),
        d.ClinicCounts(clinic=CLINICS[3], participants=hidden, asd=small, non_asd=small),
    )
    shown = {"boys", "girls", "24 to 30 months", *CLINICS[:2], "tablet, front camera"}
    subgroups = tuple(
        group
        if group.level in shown and group.attribute != "Sex"
        else group.model_copy(
            update={"participants": hidden, "asd": small, "non_asd": hidden, "metrics": {}}
        )
        for group in full.fairness.subgroups
    )
    flow = d.ParticipantFlow(
        status="local",
        steps=(
            d.FlowStep(name="Enrolled", count=112),
            d.FlowStep(
                name="Analysed",
                count=88,
                excluded=(
                    d.Exclusion(reason="no recording was made", count=small),
                    d.Exclusion(reason="face visible in too few frames", count=hidden),
                    d.Exclusion(reason="recording shorter than 60 s", count=small),
                ),
            ),
        ),
    )
    withheld = {
        "status": "not_released",
        "note": "It shows a single child, so it stays at the clinic.",
    }
    return d.Report.model_validate(
        {
            **dict(full),
            "leaves_clinic": True,
            "participant_flow": flow,
            "data": full.data.model_copy(update={"clinics": clinics}),
            "fairness": full.fairness.model_copy(
                update={"subgroups": subgroups, "differences": ()}
            ),
            "protocols": full.protocols.model_copy(update={"left_out_clinics": ()}),
            "missingness": full.missingness.model_copy(
                update={
                    "items": (
                        d.MissingItem(item="Valence", missing=small, total=88),
                        d.MissingItem(item="Face", missing=12, total=88),
                    )
                }
            ),
            "example": d.Example(**withheld),
        }
    )


def _facts(kind: d.Kind) -> dict[str, d.Section]:
    return {
        "intended_use": d.IntendedUse(
            status="released",
            intended_use="To show researchers and clinicians how well facial affect in short "
            "videos separates children with ASD from others in this sample, and how sure that is.",
            out_of_scope=(
                "Diagnosis or screening of any child.",
                "Children outside the ages, settings and recordings described here.",
                "Any use without a clinician's own assessment.",
            ),
        ),
        "participant_flow": d.ParticipantFlow(
            **SHARED,
            steps=(
                d.FlowStep(name="Enrolled", count=112),
                d.FlowStep(
                    name="Recorded",
                    count=105,
                    excluded=(d.Exclusion(reason="no recording was made", count=7),),
                ),
                d.FlowStep(
                    name="Analysed",
                    count=88,
                    excluded=(
                        d.Exclusion(reason="face visible in too few frames", count=13),
                        d.Exclusion(reason="recording shorter than 60 s", count=4),
                    ),
                ),
            ),
            by_clinic=tuple(
                d.ClinicFlow(clinic=name, counts=counts)
                for name, counts in zip(
                    CLINICS, ((43, 41, 34), (33, 31, 26), (23, 21, 18), (13, 12, 10)), strict=True
                )
            ),
        ),
        "data": d.Data(
            **SHARED,
            source="Surrogate cohort: simulated attribute series, calibrated to published scores"
            if kind == "surrogate"
            else "Recordings of four clinics",
            setting="Child watches short films on a tablet whose camera records the face",
            reference_standard="Clinical diagnosis of ASD by a specialist, before the recording"
            if kind != "surrogate"
            else "The group that the simulator drew the child from",
            split="Every participant is in one test fold; all choices are made on the others",
            participants=88,
            asd=49,
            non_asd=39,
            clinics=tuple(
                d.ClinicCounts(clinic=name, participants=n, asd=a, non_asd=n - a)
                for name, n, a in zip(CLINICS, (34, 26, 18, 10), (22, 13, 10, 4), strict=True)
            ),
            facts=(d.Fact(name="Age", value="17 to 36 months"),),
        ),
        "index_test": d.IndexTest(
            status="released",
            model="Logistic regression with L2 penalty on 352 features",
            attribute_groups=("au", "arousal", "valence", "expression"),
            features=352,
            feature_version="1",
            weights="affect network of this version, SHA-256 3f7a…",
            threshold=0.0,
            threshold_rule="Probability one half, fixed before any score was seen",
            facts=(d.Fact(name="Input", value="22 attributes of each frame at 24 Hz"),),
        ),
        "methods": d.Methods(
            status="released",
            paragraphs=(
                "The objective was to evaluate a classifier of ASD against non-ASD that was "
                "developed on the same cohort, by nested cross-validation over participants.",
                "Inner folds choose the combination of attribute groups and the penalty.",
            ),
            settings=(
                d.Fact(name="Outer folds", value="5, stratified, repeated over 10 seeds"),
                d.Fact(name="Class imbalance", value="Not reweighted: 49 to 39"),
            ),
        ),
        "sample_size": d.SampleSize(
            status="released",
            rationale="All participants with a usable recording. No formal calculation was made.",
            attainable=(
                d.Precision(
                    metric="sensitivity",
                    participants=49,
                    expected=d.Estimate(value=0.8, low=0.6702, high=0.8876, method="Wilson"),
                ),
                d.Precision(
                    metric="specificity",
                    participants=39,
                    expected=d.Estimate(value=0.8, low=0.6513, high=0.8957, method="Wilson"),
                ),
                d.Precision(
                    metric="auc",
                    participants=88,
                    expected=d.Estimate(
                        value=0.85, low=0.7629, high=0.9088, method="Hanley-McNeil"
                    ),
                ),
            ),
        ),
        "software": d.Software(
            status="released",
            command="fedaffect-sim evaluate --cohort surrogate --seed 7",
            seed=7,
            elapsed_s=93.4,
            machine="2 cores, Linux, Python 3.11",
            hashes=(
                d.Fact(name="Affect network", value="3f7a" * 16),
                d.Fact(name="Feature map", value="09bc" * 16),
            ),
            versions=(
                d.Fact(name="fedaffect", value="0.1.0"),
                d.Fact(name="scikit-learn", value="1.7.2"),
            ),
            availability="The program is open source; participants' data are not available.",
        ),
        "limits": d.Limits(
            status="released",
            items=(
                "One cohort; another of this size can come out differently by as much as the "
                "intervals say.",
                "Subgroups are small; the absence of a difference is not shown.",
            ),
        ),
        "checklists": fill_checklists(),
    }


def _accuracy(generator: np.random.Generator) -> dict[str, d.Section]:
    x = np.linspace(0, 1, 61)
    y = x**0.33
    t = np.linspace(0.05, 0.8, 40)
    prevalence = 49 / 88
    everyone = prevalence - (1 - prevalence) * t / (1 - t)
    model = np.maximum(0.7551 * prevalence - 0.3077 * (1 - prevalence) * t / (1 - t), -0.05)
    measures = scores()
    measures |= {
        "accuracy": interval(0.7273, 0.093, "Wilson"),
        "f1": interval(0.7551, 0.091),
        "ppv": interval(0.7551, 0.12, "Wilson"),
        "npv": interval(0.6923, 0.143, "Wilson"),
    }
    measures.pop("auc")
    return {
        "performance": d.Performance(
            **SHARED,
            evaluated_on="Predictions of nested cross-validation: each participant is scored by a "
            "model that never saw it.",
            participants=88,
            confusion=d.Confusion(tp=37, fn=12, fp=12, tn=27),
            metrics=measures,
            predictive_values=tuple(
                d.PredictiveValues(
                    prevalence=p,
                    ppv=interval(0.7551 * p / (0.7551 * p + 0.3077 * (1 - p)), 0.04, "logit"),
                    npv=interval(0.6923 * (1 - p) / (0.6923 * (1 - p) + 0.2449 * p), 0.03, "logit"),
                )
                for p in (0.02, 0.1, 0.3, 0.5)
            ),
        ),
        "roc": d.Roc(
            **SHARED,
            auc=d.Estimate(value=0.7912, low=0.6834, high=0.8694, method="DeLong, logit scale"),
            false_positive_rate=x,
            sensitivity=y,
            low=np.clip(y - 0.16, 0, 1),
            high=np.clip(y + 0.12, 0, 1),
            threshold_false_positive_rate=12 / 39,
            threshold_sensitivity=37 / 49,
        ),
        "calibration": d.Calibration(
            **SHARED,
            brier=interval(0.1874, 0.031),
            in_the_large=interval(0.0123, 0.094, "difference"),
            slope=interval(0.8145, 0.412, "difference"),
            groups=tuple(
                d.CalibrationGroup(
                    predicted=p, observed=interval(o, 0.21, "Wilson"), participants=22
                )
                for p, o in ((0.231, 0.2727), (0.448, 0.4545), (0.643, 0.6364), (0.858, 0.8636))
            ),
        ),
        "decision_curve": d.DecisionCurve(
            **SHARED,
            prevalence=prevalence,
            threshold=t,
            model=model,
            low=model - 0.08,
            high=model + 0.08,
            treat_all=everyone,
        ),
        "protocols": d.Protocols(
            **SHARED,
            rows=(
                d.ProtocolRow(protocol="Apparent", metrics=scores(0.171, 0.05)),
                d.ProtocolRow(protocol="Nested cross-validation", metrics=scores()),
                d.ProtocolRow(
                    protocol="Leave one clinic out",
                    metrics=scores(-0.043, 0.11),
                    note="4 models, each tested on the clinic it did not see",
                ),
            ),
            optimism={
                key: interval(0.171, 0.052, "difference") for key in ("balanced_accuracy", "auc")
            },
            left_out_clinics=tuple(
                d.ClinicScores(clinic=name, participants=n, metrics=scores(s, 0.2))
                for name, n, s in zip(
                    CLINICS, (34, 26, 18, 10), (-0.02, -0.06, 0.03, -0.14), strict=True
                )
            ),
            chance=(
                d.ChanceTest(
                    metric="balanced_accuracy",
                    observed=0.7237,
                    null_median=0.4981,
                    null_95=0.5902,
                    p_value=0.0009,
                    permutations=1000,
                    note="Labels permuted within clinics; the whole nested procedure repeated",
                ),
            ),
        ),
    }


def _attributes(generator: np.random.Generator) -> dict[str, d.Section]:
    names = [combination_name(groups) for groups in all_combinations()]
    gains = generator.normal(0.02, 0.035, len(names))
    gains[0] = 0.0
    statistics = tuple(s.name for s in STATISTICS)
    effects = generator.normal(0, 0.22, (len(statistics), len(CHANNELS)))
    effects[4:8, 14] += 0.6
    p = np.minimum(1.0, np.exp(-((np.abs(effects) / 0.26) ** 2)) * 4)
    seconds = np.arange(0, 108, 1.5)
    tracks = [
        np.convolve(generator.normal(0, 0.5, len(seconds)), np.ones(9) / 9, mode="same")
        for _ in CHANNELS
    ]
    order = np.argsort(-np.abs(effects), axis=None)[:8]
    largest = [np.unravel_index(i, effects.shape) for i in order]
    return {
        "combinations": d.Combinations(
            **SHARED,
            metric="balanced_accuracy",
            correction="max-T over 14 comparisons, 2000 bootstrap draws",
            rows=tuple(
                d.CombinationRow(
                    combination=name,
                    metrics={
                        "balanced_accuracy": interval(0.6612 + gain, 0.097),
                        "auc": interval(0.7133 + gain, 0.101),
                    },
                    difference=None if name == "au" else interval(gain, 0.083, "difference"),
                    p_value=None if name == "au" else float(np.clip(1 - 9 * abs(gain), 0.03, 1)),
                )
                for name, gain in zip(names, map(float, gains), strict=True)
            ),
            shapley=tuple(
                d.ShapleyShare(
                    group=group,
                    metrics={"balanced_accuracy": interval(s, 0.05, "difference")},
                )
                for group, s in zip(ATTRIBUTE_GROUPS, (0.0911, 0.0342, 0.0117, 0.0603), strict=True)
            ),
            finding="No combination is shown to be better than action units only: the largest gain "
            "is +.08 of balanced accuracy, and its interval reaches from −.01 to +.16.",
        ),
        "group_differences": d.GroupDifferences(
            **SHARED,
            channels=CHANNELS,
            features=statistics,
            hedges_g=effects,
            p_max_t=p,
            q_bh=np.minimum(p / 2, 1),
            largest=tuple(
                d.FeatureDifference(
                    channel=CHANNELS[c],
                    feature=statistics[f],
                    hedges_g=interval(float(effects[f, c]), 0.43, "difference"),
                    cliffs_delta=interval(float(effects[f, c]) / 2, 0.24, "difference"),
                    p_max_t=float(p[f, c]),
                    q_bh=float(p[f, c] / 2),
                )
                for f, c in largest
            ),
            attribute_groups=tuple(
                d.AttributeGroupDifference(
                    group=group,
                    features=n,
                    largest_g=interval(g, 0.43, "difference"),
                    p_max_t=pv,
                    q_bh=pv / 2,
                )
                for group, n, g, pv in zip(
                    ATTRIBUTE_GROUPS,
                    (192, 16, 16, 128),
                    (0.8123, -0.3411, 0.2907, -0.4102),
                    (0.0041, 0.4127, 0.5713, 0.1208),
                    strict=True,
                )
            ),
            permutations=5000,
            finding="4 of 352 features differ between the groups after correction.",
        ),
        "coefficients": d.Coefficients(
            **SHARED,
            scale="Log-odds per standard deviation",
            total=352,
            rows=tuple(
                d.Coefficient(
                    channel=CHANNELS[c],
                    feature=statistics[f],
                    estimate=interval(float(effects[f, c]) / 3, 0.17, "difference"),
                    sign_stability=float(0.99 - 0.03 * i),
                )
                for i, (f, c) in enumerate(largest)
            ),
        ),
        "example": d.Example(
            **SHARED,
            title="A surrogate child of the ASD group, called ASD",
            decomposition="sliding window",
            window_s=20.0,
            time_s=seconds,
            tracks=tuple(
                d.ChannelTrack(channel=channel, contribution=track)
                for channel, track in zip(CHANNELS, tracks, strict=True)
            ),
            score=0.8312,
            probability=0.6966,
        ),
    }


def _trust() -> dict[str, d.Section]:
    levels = (
        ("Sex", "girls", 21, 9),
        ("Sex", "boys", 67, 40),
        ("Age band", "17 to 23 months", 19, 8),
        ("Age band", "24 to 30 months", 41, 24),
        ("Age band", "31 to 36 months", 28, 17),
        ("Clinic", CLINICS[0], 34, 22),
        ("Clinic", CLINICS[1], 26, 13),
        ("Clinic", CLINICS[2], 18, 10),
        ("Clinic", CLINICS[3], 10, 4),
        ("Device", "tablet, front camera", 88, 49),
    )
    shifts = (-0.05, 0.02, -0.08, 0.03, 0.01, 0.04, -0.03, 0.0, -0.11, 0.0)
    return {
        "uncertainty": d.Uncertainty(
            **SHARED,
            indeterminate=d.Indeterminate(
                low=0.35,
                high=0.62,
                chosen_on="the calibration part of each fold",
                share=interval(0.3182, 0.096, "Wilson"),
                metrics={
                    "sensitivity": interval(0.8571, 0.12, "Wilson"),
                    "specificity": interval(0.8, 0.15, "Wilson"),
                },
                participants=28,
            ),
            conformal=tuple(
                d.ConformalRow(
                    method=method,
                    promised=0.9,
                    coverage=interval(c, 0.06, "Wilson"),
                    coverage_asd=interval(c + 0.01, 0.08, "Wilson"),
                    coverage_non_asd=interval(c - 0.02, 0.09, "Wilson"),
                    one_label=0.5341,
                    both_labels=0.4545,
                    no_label=0.0114,
                )
                for method, c in (("Cross-conformal", 0.9091), ("By class (Mondrian)", 0.8977))
            ),
            venn_abers_width=interval(0.1841, 0.031),
        ),
        "fairness": d.Fairness(
            **SHARED,
            subgroups=tuple(
                d.Subgroup(
                    attribute=attribute,
                    level=level,
                    participants=n,
                    asd=a,
                    non_asd=n - a,
                    metrics={
                        key: interval(v.value + shift, 0.9 / n**0.5, "Wilson")
                        for key, v in scores().items()
                        if v.value is not None and key != "auc"
                    },
                )
                for (attribute, level, n, a), shift in zip(levels, shifts, strict=True)
            ),
            differences=(
                d.SubgroupDifference(
                    attribute="Sex",
                    metric="sensitivity",
                    between="boys minus girls",
                    difference=interval(0.0713, 0.24, "difference"),
                ),
            ),
        ),
        "missingness": d.Missingness(
            **SHARED,
            rule="Frames without a face stay empty; statistics use the frames there are. A "
            "recording with a face in fewer than half of its frames is left out.",
            items=(
                d.MissingItem(item="Face in a frame", missing=211, total=2113, note="of 2113 s"),
                d.MissingItem(item="Age", missing=3, total=88),
            ),
        ),
        "baselines": d.Baselines(
            **SHARED,
            setting="Simulated on the same rows and folds.",
            rows=(
                d.Baseline(method="One clinic alone, mean", metrics=scores(-0.09)),
                d.Baseline(method="Pooled, no privacy", metrics=scores()),
                d.Baseline(method="Federated, no privacy", metrics=scores()),
                d.Baseline(method="Federated DP", epsilon=8, metrics=scores(-0.016)),
                d.Baseline(method="Federated DP", epsilon=4, metrics=scores(-0.037)),
                d.Baseline(method="Federated DP", epsilon=1, metrics=scores(-0.131)),
            ),
        ),
    }


def _privacy() -> dict[str, d.Section]:
    return {
        "privacy": d.Privacy(
            status="released",
            guarantee="Whether one child took part changes little of what anyone can learn from "
            "all that the study opens.",
            unit="One participant with all recordings of theirs",
            adjacency="Add or remove one participant",
            epsilon=4,
            delta=0.001,
            mu=0.925,
            spent_mu=0.871,
            attack_true_positive_rate=0.2364,
            mechanism="Discrete Gaussian noise on clipped sums, shared by the clinics",
            composition="Gaussian differential privacy, exact",
            trust=(
                "A participant's own clinic holds the recordings and is trusted with them.",
                "The server is not trusted: it sees masked sums only.",
                "At most 1 clinic may side with the server.",
            ),
            not_covered=(
                "What the model says about people in general.",
                "Later studies on the same participants: they add to ε.",
            ),
            audit="One-run audit with synthetic canaries; it found no violation",
        ),
        "federation": d.Federation(
            status="released",
            clinics=CLINICS,
            rounds=(
                d.Round(number=0, purpose="ready", answered=4, asked=4),
                d.Round(number=1, purpose="gradient sum", answered=4, asked=4, mu=0.412),
                d.Round(
                    number=2,
                    purpose="gradient sum",
                    answered=3,
                    asked=4,
                    absent=(d.Absence(clinic=CLINICS[3], reason="no answer in 24 h, came back"),),
                    mu=0.412,
                ),
                d.Round(number=3, purpose="threshold sum", answered=4, asked=4, mu=0.287),
            ),
            facts=(d.Fact(name="Collusion margin", value="1 clinic"),),
        ),
    }
