"""The ten rules of `benchmarks/quality.py` in Great Expectations, on a pandas frame; prints seconds and counts as JSON.

Runs in `.peers-data`; nothing of Treadle is here. Failing rows are asked for as completely as it can name them.
"""

from __future__ import annotations

import json
import sys
import time

begun = time.perf_counter()
import great_expectations as gx  # noqa: E402
import great_expectations.expectations as gxe  # noqa: E402
import pandas as pd  # noqa: E402

imported = time.perf_counter()

EXPECTATIONS = {
    "required": gxe.ExpectColumnValuesToNotBeNull(column="delay"),
    "delay": gxe.ExpectColumnValuesToBeBetween(column="delay", min_value=-100, max_value=900),
    "seats": gxe.ExpectColumnValuesToBeBetween(column="seats", min_value=1, max_value=400),
    "carrier": gxe.ExpectColumnValuesToBeInSet(column="carrier", value_set=["AA", "B6", "DL", "EV", "UA"]),
    "tail": gxe.ExpectColumnValuesToMatchRegex(column="tail", regex="^N[0-9]{4}$"),
    "note": gxe.ExpectColumnValueLengthsToBeBetween(column="note", min_value=5, max_value=20),
    "order": gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="arrived", column_B="departed"),
    "id": gxe.ExpectColumnValuesToBeUnique(column="id"),
    "leg": gxe.ExpectCompoundColumnsToBeUnique(column_list=["day", "leg"]),
    "rows": gxe.ExpectTableRowCountToBeBetween(min_value=101),
}


def main(path: str) -> None:
    """Reads, validates, prints."""
    frame = pd.read_parquet(path)
    loaded = time.perf_counter()
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="ten")
    for name, expectation in EXPECTATIONS.items():
        expectation.meta = {"name": name}
        suite.add_expectation(expectation)
    # all failing rows by their index, which is what the others answer too
    found = batch.validate(suite, result_format={"result_format": "COMPLETE", "include_unexpected_rows": False})
    done = time.perf_counter()
    counts = {
        result.expectation_config.meta["name"]: result.result.get("unexpected_count", int(not result.success))
        for result in found.results
    }
    seconds = {"import_s": imported - begun, "load_s": loaded - imported, "validate_s": done - loaded}
    print(json.dumps({**{name: round(value, 2) for name, value in seconds.items()}, "failing": counts}))


main(sys.argv[1])
