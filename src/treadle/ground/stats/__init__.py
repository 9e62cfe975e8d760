"""The statistics that several systems ask for: NumPy in, plain numbers out, no clock, no state, no SciPy.

Here, on the ground floor, because train, labels, monitor and the release loop must count alike.
"""

from treadle.ground.stats.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from treadle.ground.stats.calibration import (
    ReliabilityBin,
    brier,
    calibration_error,
    log_loss,
    log_losses,
    reliability,
)
from treadle.ground.stats.distances import ChiSquare, binned_ks, chi_square, jensen_shannon, population_stability
from treadle.ground.stats.distributions import chi_square_tail, normal_quantile, normal_tail, two_sided_p
from treadle.ground.stats.errors import EmptySample, OneClass, ShapeMismatch, UnfitSample
from treadle.ground.stats.intervals import Interval, bootstrap, mean_interval, wilson
from treadle.ground.stats.ranking import Auc, AucDifference, auc, compare_aucs, roc_auc
from treadle.ground.stats.sequential import Running, block_differences, evidence_above, evidence_below, running_mean

__all__ = [
    "Auc",
    "AucDifference",
    "ChiSquare",
    "EmptySample",
    "Interval",
    "OneClass",
    "ReliabilityBin",
    "Running",
    "ShapeMismatch",
    "UnfitSample",
    "auc",
    "binned_ks",
    "block_differences",
    "bootstrap",
    "brier",
    "calibration_error",
    "chi_square",
    "chi_square_tail",
    "cohen_kappa",
    "compare_aucs",
    "evidence_above",
    "evidence_below",
    "fleiss_kappa",
    "jensen_shannon",
    "krippendorff_alpha",
    "log_loss",
    "log_losses",
    "mean_interval",
    "normal_quantile",
    "normal_tail",
    "population_stability",
    "reliability",
    "roc_auc",
    "running_mean",
    "two_sided_p",
    "wilson",
]
