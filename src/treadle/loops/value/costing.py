"""What predictions cost to make: seconds as the server logged them, and energy estimated from those."""

from __future__ import annotations

import polars as pl

from treadle.loops.value.records import CostFigure
from treadle.loops.value.valuing import revision_name

WATTS = 3.5
"""A busy virtual CPU of a cloud server, where nothing better is known: the methodology's average over AWS's processors."""
POWER_USAGE_EFFECTIVENESS = 1.135
"""What a data centre takes for each watt of its servers, for cooling and conversion."""

COLUMNS = ("call_id", "call_rows", "latency_us", "model_us", "threads")


def energy_formula(watts: float, power_usage_effectiveness: float) -> str:
    """How the energy is estimated, in words."""
    return (
        f"estimated: model seconds x {watts:g} W a virtual CPU x {power_usage_effectiveness:g} (power usage effectiveness) / 3600; "
        "after the methodology of Cloud Carbon Footprint, each taken as fully busy"
    )


def costs(rows: pl.DataFrame, watts: float, power_usage_effectiveness: float) -> list[CostFigure]:
    """The cost of each revision's predictions, by its number. A call's time is shared out evenly among its rows."""
    parts = rows.partition_by("revision", as_dict=True)
    found = []
    for _, part in sorted(parts.items(), key=lambda item: int(item[0][0])):
        mean = part.select(
            model=(pl.col("model_us") * pl.col("threads") / pl.col("call_rows")).mean(),
            latency=(pl.col("latency_us") / pl.col("call_rows")).mean(),
        ).row(0)
        model_s, latency_s = (1000 * float(value or 0.0) / 1e6 for value in mean)
        found.append(
            CostFigure(
                name=revision_name(part),
                predictions=part.height,
                calls=part["call_id"].n_unique(),
                model_s_per_thousand=model_s,
                latency_s_per_thousand=latency_s,
                estimated_energy_wh_per_thousand=model_s * watts * power_usage_effectiveness / 3600,
            )
        )
    return found
