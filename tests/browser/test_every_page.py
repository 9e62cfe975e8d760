"""What holds for every page: it stands without a complaint, for everybody, in both schemes and at both widths."""

from __future__ import annotations

import pytest

from tests.browser.conftest import NARROW, WIDE, House, Looker

PAGES = {
    "home": "/",
    "datasets": "/datasets",
    "dataset": "/datasets/flights",
    "dataset-profile": "/datasets/flights?tab=profile",
    "dataset-snapshots": "/datasets/flights?tab=snapshots&before=1&after=3",
    "dataset-contract": "/datasets/flights?tab=contract",
    "dataset-quality": "/datasets/flights?tab=quality",
    "dataset-quarantine": "/datasets/flights?tab=quarantine&state=released",
    "dataset-incidents": "/datasets/flights?tab=incidents",
    "dataset-query": "/datasets/flights?tab=query",
    "features": "/features",
    "feature-view": "/features/carrier_arrivals",
    "pipelines": "/pipelines",
    "pipeline": "/pipelines/retrain",
    "runs": "/runs",
    "run": "/runs/{run}",
    "run-story": "/runs/{run}?tab=story",
    "experiments": "/experiments",
    "experiment": "/experiments/{experiment}",
    "experiment-charts": "/experiments/{experiment}?tab=charts",
    "experiment-groups": "/experiments/{experiment}?tab=groups",
    "tracked-run": "/experiments/{experiment}/runs/{tracked}",
    "tracked-run-files": "/experiments/{experiment}/runs/{tracked}?tab=files&file=notes.csv",
    "compare": "/compare?runs=%5B%22{tracked}%22%2C%22{other}%22%5D",
    "models": "/models",
    "model": "/models/late-arrival",
    "version": "/models/late-arrival/1",
    "version-card": "/models/late-arrival/1?tab=card",
    "endpoints": "/endpoints",
    "endpoint": "/endpoints/late-arrival",
    "predictions": "/predictions?endpoint=late-arrival",
    "prediction": "/predictions/{prediction}?explain=true",
    "monitoring": "/monitoring",
    "monitor": "/monitoring/late-arrival",
    "monitor-performance": "/monitoring/late-arrival?tab=performance",
    "monitor-value": "/monitoring/late-arrival?tab=value",
    "alert": "/alerts/{alert}",
    "lineage": "/lineage?of=model%2Flate-arrival%2F1",
    "activity": "/activity",
    "settings": "/settings",
    "settings-notifications": "/settings?tab=notifications",
    "settings-storage": "/settings?tab=storage",
}
"""By the name of its picture, each page with the ids of this store left open."""


def address(house: House, path: str) -> str:
    """The path with ids of things that are in the store."""
    if "{experiment}" in path or "{tracked}" in path:
        experiment, runs = house.tracked()
        return path.format(experiment=experiment, tracked=runs[0], other=runs[1])
    if "{run}" in path:
        return path.format(run=house.ask("runs.list", kind="pipeline", limit=1)["items"][0]["id"])
    if "{prediction}" in path:
        found = house.ask("predictions.list", endpoint="late-arrival", limit=1)
        return path.format(prediction=found["items"][0]["prediction_id"])
    if "{alert}" in path:
        return path.format(alert=house.ask("alerts.list", limit=1)[0]["id"])
    return path


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_for_everybody_in_both_schemes_and_at_both_widths(looker: Looker, name: str) -> None:
    page = looker.visit(address(looker.house, PAGES[name]))

    assert page.locator("[role=alert]").all_text_contents() == []
    looker.picture(name)
    assert looker.obstacles() == []

    page.emulate_media(color_scheme="dark")
    looker.picture(f"{name}-dark")
    assert looker.obstacles() == []

    page.set_viewport_size(NARROW)
    looker.picture(f"{name}-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.set_viewport_size(WIDE)


def test_an_address_that_is_none_says_so(looker: Looker) -> None:
    page = looker.visit("/no/such/page")

    assert "There is no such page" in page.locator("h1").inner_text()
