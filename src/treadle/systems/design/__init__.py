"""Design: what a model is for and how it is judged, before the first one is trained."""

from treadle.systems.design.baselines import BaseRate, HistoryRate
from treadle.systems.design.candidates import Candidate, candidates
from treadle.systems.design.card import ModelCard, markdown, model_card
from treadle.systems.design.leaderboard import Check, Entry, Leaderboard, gate, rank
from treadle.systems.design.service import DesignNamed, Designs, RecordedLeaderboard, RegisteredSpec, RegisterSpec
from treadle.systems.design.spec import (
    Baseline,
    Dimension,
    Input,
    Metric,
    ModelSpec,
    Part,
    Promotion,
    Search,
    Threshold,
    TimeSplit,
    from_mapping,
    load,
)
from treadle.systems.design.splits import PartReport, Splits, split

__all__ = [
    "BaseRate",
    "Baseline",
    "Candidate",
    "Check",
    "DesignNamed",
    "Designs",
    "Dimension",
    "Entry",
    "HistoryRate",
    "Input",
    "Leaderboard",
    "Metric",
    "ModelCard",
    "ModelSpec",
    "Part",
    "PartReport",
    "Promotion",
    "RecordedLeaderboard",
    "RegisterSpec",
    "RegisteredSpec",
    "Search",
    "Splits",
    "Threshold",
    "TimeSplit",
    "candidates",
    "from_mapping",
    "gate",
    "load",
    "markdown",
    "model_card",
    "rank",
    "split",
]
