"""Skew, measured: served feature vectors against what a training set would say of the same entities and moments."""

from treadle.loops.skew.records import CheckSkew, FeatureSkew, SkewExample, SkewReport
from treadle.loops.skew.service import Skew

__all__ = ["CheckSkew", "FeatureSkew", "Skew", "SkewExample", "SkewReport"]
