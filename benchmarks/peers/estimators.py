"""Fits the estimators that `serve_rest.py` compares, wherever they are served: the same rows and seed, the same model.

python estimators.py logistic|boosting ROWS joblib|mlflow PLACE
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def fitted(kind: str, rows: Any, target: Any) -> Any:
    """A logistic regression, or 100 trees by histograms."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression() if kind == "logistic" else HistGradientBoostingClassifier(max_iter=100, random_state=0)
    return model.fit(rows, target)


def main(kind: str, rows: Path, form: str, place: Path) -> None:
    with np.load(rows) as data:
        model = fitted(kind, data["rows"], data["target"])
    if form == "joblib":
        import joblib

        joblib.dump(model, place)
        return
    import mlflow

    mlflow.sklearn.save_model(
        model, place, pyfunc_predict_fn="predict_proba", pip_requirements=[], serialization_format="pickle"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
