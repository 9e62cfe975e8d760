"""Runs in the environment of `.peers-monitoring`: what Evidently's preset and NannyML say of windows, and what they cost.

drifting.py FOLDER check: `reference.parquet` and `window-*.parquet`; prints the figures by window and column as JSON.
drifting.py FOLDER speed: `reference.parquet` and `window-0.parquet`; prints wall and CPU seconds of Evidently's preset.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)


def evidently(reference, window):
    """The drift score of each column by the preset."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    words = [name for name in window if not pd.api.types.is_numeric_dtype(window[name])]
    definition = DataDefinition(
        numerical_columns=[name for name in window if name not in words], categorical_columns=words
    )
    there, here = (Dataset.from_pandas(one, data_definition=definition) for one in (reference, window))
    snapshot = Report([DataDriftPreset()]).run(here, there)
    found = {}
    for metric in snapshot.dict()["metrics"]:
        column = metric.get("config", {}).get("column")
        if column is not None:
            found[column] = float(metric["value"])
    return found


def nannyml(reference, windows):
    """The distance of each column in each window, and its upper limit."""
    import nannyml as nml

    words = [name for name in reference if not pd.api.types.is_numeric_dtype(reference[name])]
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(reference),
        treat_as_categorical=words,
        chunk_size=len(windows[0]),
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
    )
    calculator.fit(reference)
    frame = calculator.calculate(pd.concat(windows, ignore_index=True)).filter(period="analysis").to_df()
    values = {c: [float(v) for v in frame[(c, "jensen_shannon", "value")]] for c in reference}
    return values, {c: float(frame[(c, "jensen_shannon", "upper_threshold")].iloc[0]) for c in reference}


def main():
    folder, what = Path(sys.argv[1]), sys.argv[2]
    reference = pd.read_parquet(folder / "reference.parquet")
    windows = [pd.read_parquet(path) for path in sorted(folder.glob("window-*.parquet"))]
    if what == "speed":
        evidently(reference.head(2000), windows[0].head(2000))  # imports, once
        wall, cpu = time.perf_counter(), time.process_time()
        evidently(reference, windows[0])
        print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}))
        return
    values, limits = nannyml(reference, windows)
    print(
        json.dumps(
            {"evidently": [evidently(reference, one) for one in windows], "nannyml": values, "nannyml_limits": limits}
        )
    )


main()
