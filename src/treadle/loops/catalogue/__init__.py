"""The catalogue of features: what each is, whose, how fresh, and which models and endpoints rest on it."""

from treadle.loops.catalogue.records import FeatureEntry, FeaturePage, FeatureProfile, SearchFeatures, ViewNamed
from treadle.loops.catalogue.service import Catalogue

__all__ = ["Catalogue", "FeatureEntry", "FeaturePage", "FeatureProfile", "SearchFeatures", "ViewNamed"]
