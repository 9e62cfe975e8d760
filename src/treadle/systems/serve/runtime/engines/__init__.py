"""What computes a model's answers: one small port, five engines.

An engine turns a float64 matrix (n, k) into float64 scores (n, w), on as many threads as it was opened with; one, unless
told. Each engine lives in the one module that is about it, and its library is loaded when a model first needs it.
LightGBM and XGBoost are called through their own C interface: their Python packages import pandas and scikit-learn (4 s
on a cold start, measured 2026) and spend 50 us around a call of 4 us.
"""

from treadle.systems.serve.runtime.engines.opening import ENGINES, Engine, EngineOptions, open_engine

__all__ = ["ENGINES", "Engine", "EngineOptions", "open_engine"]
