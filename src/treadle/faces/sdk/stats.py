"""Figures that a user's steps log: `from treadle import stats`."""

from __future__ import annotations

from treadle.ground.stats import auc, brier, calibration_error, compare_aucs, log_loss, reliability, roc_auc

__all__ = ["auc", "brier", "calibration_error", "compare_aucs", "log_loss", "reliability", "roc_auc"]
