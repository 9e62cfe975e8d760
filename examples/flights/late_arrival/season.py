"""The year as it happened: months land, flights are predicted day by day over HTTP, the truth follows, the loop answers.

Time is that of 2013. The months' records are landed when their month begins to be predicted, and *known-at* keeps every
feature and every training row from seeing what was not known by then; the truth about a flight lands in the week in which
it became known. Nothing below looks at a date to decide anything: an alert opens where the monitor finds one, and the
scheduler starts what it triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

import treadle as td
from late_arrival import labelling, pipelines, sources
from late_arrival.asking import Client, rows_of_day
from late_arrival.features import known_before_departure
from treadle.kernel.catalog.service import ListRuns
from treadle.loops.feedback import TruthRule
from treadle.loops.value import ValueRule
from treadle.systems.collect.records import NamedDataset
from treadle.systems.monitor.requests import EvaluateMonitor
from treadle.systems.train.registry.service import VersionNamed

WEEK, DAY = timedelta(days=7), timedelta(days=1)
FIRST_DAY = datetime(2013, 4, 1, 5, tzinfo=UTC)
"""A Monday, at the hour in UTC at which a day of New York begins in winter; weeks are counted from such hours."""
LAST_DAY = datetime(2014, 1, 1, 5, tzinfo=UTC)
VALUE_OF_A_WARNING = [[0.0, -4.0], [-30.0, 12.0]]
"""In EUR, by truth and class: a needless warning costs a rebooking's handling, a late flight without one a missed connection."""
PROJECT = Path(__file__).parents[1]

Say = Callable[[str, str], None]
"""Told what happens: when (a day, or nothing) and what."""

Doing = Callable[[datetime, str], None]
"""Told what is being done: the moment of the year to which it has come, and what."""


@dataclass(frozen=True)
class Month:
    """The inputs of a month's predictions, and the digest by which every prediction says what it was made from."""

    digest: str
    rows: pl.DataFrame


@dataclass
class Season:
    """One year in one workspace. `say` is told what happens when it has happened, `doing` what is begun."""

    workspace: td.Workspace
    say: Say
    until: datetime = LAST_DAY
    doing: Doing = lambda _, __: None
    months: dict[int, Month] = field(default_factory=dict)

    def play(self) -> None:
        """Lives through the year. Run again on the same home, it finds everything done."""
        with td.use(self.workspace):
            self.prepare()
            self.train_first()
            with self.workspace.serve() as server:
                client = Client(server.url, pipelines.ENDPOINT)
                self.workspace.shipper.ship()
                for week in self.weeks_to_come():
                    self.live_through(week, client)

    def prepare(self) -> None:
        """Publishes the contracts, lands what is known when the year's first quarter is over, and makes its inputs."""
        workspace = self.workspace
        self.doing(FIRST_DAY, "landing the first quarter, and making its inputs")
        for contract in sorted((PROJECT / "contracts").glob("*.yaml")):
            td.contract(contract)
        td.register_spec(PROJECT / "model.toml")
        workspace.features.register(workspace.caller, known_before_departure)
        td.dataset("weather").land(sources.weather(), key="2013", event_column="observed_at")
        td.dataset("planes").land(sources.planes(), key="2013")
        self.judge_refused("weather")
        for number in (1, 2, 3):
            self.land_month(number)
        self.land_truth(datetime(2013, 1, 1, tzinfo=UTC), FIRST_DAY)
        td.publish([pipelines.retrain], PROJECT)

    def land_month(self, number: int) -> None:
        """Lands a month of flights, and makes the inputs of its predictions."""
        if number in self.months:
            return
        for landing in td.dataset("flights").land(sources.FlightsByMonth(until=f"2013-{number:02}")):
            refused = f", {landing.rows_refused} refused" if landing.rows_refused else ""
            self.say("", f"2013-{number:02} landed: {landing.rows_kept:,} flights{refused}")
        self.judge_refused("flights")
        made = pipelines.month(number).value
        self.months[number] = Month(digest=made.digest, rows=td.load(made))

    def judge_refused(self, dataset: str) -> None:
        """Lets people judge the rows that the contract has refused, and carries out what they say."""
        verdicts = labelling.judge(self.workspace, dataset)
        if verdicts is not None:
            done = pipelines.settle(dataset, verdicts).value
            self.say("", f"{dataset}: " + ", ".join(f"{count} {what}" for what, count in done.items()))

    def land_truth(self, after: datetime, until: datetime) -> None:
        """Lands what became known in between: did the flight come in time, was it late, or did it never arrive."""
        known = sources.all_flights().filter(pl.col("known_at").is_between(after, until, closed="left"))
        rows = known.select("flight_id", "late", "state", "known_at").sort("known_at", "flight_id")
        td.dataset("truth").land(rows, key=f"{until:%Y-%m-%d}", event_column="known_at")

    def train_first(self) -> None:
        """Connects the endpoint with the truth, and trains its first champion as of the first of April.

        A training that was cut off is taken up where it was: what it had registered is not registered again.
        """
        workspace = self.workspace
        if workspace.truth_rules.find(workspace.project, pipelines.ENDPOINT) is None:
            rule = TruthRule(
                endpoint=pipelines.ENDPOINT, dataset="truth", entity="flight_id", value="late", known_at="known_at"
            )
            workspace.feedback.connect(workspace.caller, rule)
            worth = ValueRule(endpoint=pipelines.ENDPOINT, matrix=VALUE_OF_A_WARNING, unit="EUR")
            workspace.value.declare(workspace.caller, worth)
        runs = workspace.runs.newest(workspace.caller, ListRuns(kind="pipeline", limit=1000)).items
        begun = [run for run in runs if run.name == pipelines.first_model.name]
        if any(run.status == "done" for run in begun):
            return
        self.doing(FIRST_DAY, "training the first candidates and their baselines")
        if begun:
            run = workspace.engine.resume(begun[0].id, pipelines.first_model)
        else:
            run = td.run(pipelines.first_model, now=FIRST_DAY)
        self.say(f"{FIRST_DAY:%Y-%m-%d}", run.value)

    def weeks_to_come(self) -> Iterator[datetime]:
        """The Mondays of the weeks that are not over; the truth of a week lands at its end.

        The last week whose truth has landed is gone through again: what followed from it may have been cut off, and
        what was done already is found and not done twice.
        """
        landings = self.workspace.datasets.landings(self.workspace.caller, NamedDataset(name="truth"))
        landed = sum(landing.state == "committed" for landing in landings)
        week = FIRST_DAY + WEEK * max(landed - 2, 0)
        while week < self.until:
            yield week
            week += WEEK

    def live_through(self, week: datetime, client: Client) -> None:
        """Predicts a week's flights day by day, learns the truth, looks at the week, and lets the loop answer."""
        end = week + WEEK
        asked = self.asked_already(week)
        for day in (week + timedelta(days=n) for n in range(7)):
            if day < self.until:
                self.doing(day, "predicting the day's flights")
                self.predict_day(day, client, asked)
        self.doing(end, "learning the truth, and judging the week")
        self.workspace.shipper.ship()
        self.land_truth(week, end)
        for at in (week - WEEK, week):
            if at >= FIRST_DAY:
                self.look_at(at)
        self.answer(end, client)

    def asked_already(self, week: datetime) -> pl.Series:
        """The flights of a week that were predicted before this process was there."""
        known = self.workspace.feedback.joined(self.workspace.project, pipelines.ENDPOINT, week - DAY, week + WEEK)
        return known["entity"] if known.height else pl.Series(dtype=pl.String)

    def predict_day(self, day: datetime, client: Client, asked: pl.Series) -> None:
        """Asks the endpoint about every flight that is due to leave that day."""
        for number in sorted({day.month, (day + DAY).month}):
            self.land_month(number)
            rows = rows_of_day(self.months[number].rows, day).filter(~pl.col("flight_id").is_in(asked.implode()))
            if rows.height:
                client.ask(rows, features=self.months[number].digest)

    def look_at(self, week: datetime) -> None:
        """Lets the monitor judge a week, and says what it found."""
        for found in self.workspace.monitors.evaluate(
            self.workspace.caller, EvaluateMonitor(endpoint=pipelines.ENDPOINT, at=week)
        ):
            for alert in found.opened:
                what = ", ".join(alert.columns)
                self.say(f"{found.ends_at:%Y-%m-%d}", f"alert: {alert.kind} ({what})")

    def answer(self, now: datetime, client: Client) -> None:
        """Lets the scheduler start what is due, and waits until that has ended and the endpoint serves the outcome."""
        self.doing(now, "running whatever an alert has started")
        for firing in self.workspace.scheduler.drain():
            self.say(f"{now:%Y-%m-%d}", f"{firing.pipeline} ran, started by {firing.caused_by}")
        champion = self.workspace.registry.models.get(
            self.workspace.caller, VersionNamed(model=pipelines.MODEL, version="champion")
        )
        client.wait_for(str(champion.version.number))
