"""The table of contents of the command line.

One line a command: its words, where its function lives, what it does. `treadle --help` prints this table and imports
nothing else; a command's module is imported when it is called. A test holds the table and the functions together.
"""

from __future__ import annotations

from typing import NamedTuple

_COMMANDS = "treadle.faces.cli.commands"


class Entry(NamedTuple):
    """One command."""

    words: str
    """What is typed: `run`, or a plural noun and a verb: `runs list`."""
    function: str
    """`module:function`, the module below `treadle.faces.cli.commands`."""
    summary: str

    @property
    def module(self) -> str:
        return f"{_COMMANDS}.{self.function.partition(':')[0]}"

    @property
    def attribute(self) -> str:
        return self.function.partition(":")[2]


EVERY_DAY = (
    Entry("init", "projects:init", "start a project that runs as it is: pipeline, contract, test, CI"),
    Entry("demo", "demo:demo", "the whole loop on a year of real flights, with a report"),
    Entry("run", "running:run", "run a pipeline here; what is known is not run again"),
    Entry("plan", "running:plan", "say which steps would run, and why; run none"),
    Entry("resume", "running:resume", "go on with a run that was stopped, killed or failed"),
    Entry("cancel", "running:cancel", "ask a run to stop"),
    Entry("publish", "publishing:publish", "make schedules and triggers live, with the code as it is now"),
    Entry("up", "serving:up", "serve API and models, run what is scheduled; on loopback"),
    Entry("why", "provenance:why", "where it comes from: of a prediction, down to the raw rows"),
    Entry("impact", "provenance:impact", "what came of it: runs, models, endpoints, predictions"),
    Entry("replay", "provenance:replay", "compute a past prediction again, and compare"),
    Entry("verify", "provenance:verify", "train a model again from what was recorded, and compare"),
    Entry("doctor", "storage:doctor", "look whether store, bytes, event chain and disk are sound"),
    Entry("gc", "storage:gc", "remove what no name, pin, deployment or recent run needs"),
)

NOUNS = (
    Entry("runs list", "runs:list_all", "runs of pipelines, the newest first"),
    Entry("runs show", "runs:show", "one run with everything that ran inside it"),
    Entry("runs logs", "runs:logs", "what the steps of a run printed, also while they run"),
    Entry("runs waiting", "running:waiting", "runs that wait for an approval, an event or a time"),
    Entry("runs answer", "running:answer", "answer a run that waits for an approval"),
    Entry("datasets list", "datasets:list_all", "every dataset with its newest snapshot"),
    Entry("datasets show", "datasets:show", "one snapshot, now or at any time"),
    Entry("datasets history", "datasets:history", "every snapshot, the newest first"),
    Entry("datasets land", "datasets:land", "land files of the inbox, one snapshot each"),
    Entry("datasets rows", "datasets:rows", "rows by their ids"),
    Entry("datasets tag", "datasets:tag", "give a snapshot a name"),
    Entry("datasets restore", "datasets:restore", "make an earlier snapshot the newest again"),
    Entry("contracts list", "contracts:list_all", "the contract of every dataset that has one"),
    Entry("contracts show", "contracts:show", "the contract that holds for a dataset"),
    Entry("contracts publish", "contracts:publish", "make a contract hold from now on"),
    Entry("contracts draft", "contracts:draft", "a first contract, drawn from the data"),
    Entry("contracts check", "contracts:check", "judge a snapshot by its contract"),
    Entry("quarantine list", "contracts:quarantined", "refused rows, with the rules that refused them"),
    Entry("quarantine release", "contracts:release", "let rows back in, as they are or mended"),
    Entry("quarantine discard", "contracts:discard", "give rows up, with the reason"),
    Entry("incidents list", "incidents:list_all", "what went wrong with data"),
    Entry("incidents show", "incidents:show", "one incident"),
    Entry("incidents assign", "incidents:assign", "make it somebody's"),
    Entry("incidents mute", "incidents:mute", "let it count without telling anybody"),
    Entry("incidents resolve", "incidents:resolve", "close it"),
    Entry("features list", "features:list_all", "every feature view and service"),
    Entry("features show", "features:show", "one definition as it was registered"),
    Entry("labels list", "labels:list_all", "every labelling project"),
    Entry("labels create", "labels:create", "a labelling project with its questions"),
    Entry("labels add", "labels:add", "make tasks of the rows of a dataset"),
    Entry("labels next", "labels:next_tasks", "tasks for you"),
    Entry("labels annotate", "labels:annotate", "record your answers"),
    Entry("labels skip", "labels:skip", "leave a task to others"),
    Entry("labels agreement", "labels:agreement", "how far the annotators agree"),
    Entry("labels disputes", "labels:disputes", "what a reviewer has to decide"),
    Entry("labels review", "labels:review", "decide a task"),
    Entry("labels export", "labels:export", "land the decided labels in a dataset"),
    Entry("models list", "models:list_all", "every model, and what its aliases stand on"),
    Entry("models show", "models:show", "one version with all evidence about it"),
    Entry("models card", "models:card", "the model card of a version, as Markdown"),
    Entry("models versions", "models:versions", "every version, the newest first"),
    Entry("models history", "models:history", "every move of every alias"),
    Entry("models promote", "models:promote", "move an alias onto a version"),
    Entry("endpoints list", "endpoints:list_all", "every endpoint and what it serves"),
    Entry("endpoints show", "endpoints:show", "one endpoint with its revisions and routes"),
    Entry("endpoints deploy", "endpoints:deploy", "serve a model version"),
    Entry("endpoints route", "endpoints:route", "split the traffic among revisions"),
    Entry("endpoints rollback", "endpoints:rollback", "go back to an earlier route"),
    Entry("predictions list", "predictions:list_all", "predictions of an endpoint, the newest first"),
    Entry("predictions show", "predictions:show", "a prediction as it was logged"),
    Entry("monitors list", "monitors:list_all", "every monitor"),
    Entry("monitors show", "monitors:show", "one monitor: references, alerts, windows"),
    Entry("alerts list", "alerts:list_all", "what the monitors have raised"),
    Entry("alerts show", "alerts:show", "one alert: what moved, how far, since when"),
    Entry("alerts acknowledge", "alerts:acknowledge", "say that you take care of it"),
    Entry("alerts resolve", "alerts:resolve", "end it by hand, with the reason"),
    Entry("events list", "events:list_all", "what happened, the newest first"),
    Entry("events show", "events:show", "one event with its place in the chain"),
    Entry("audit verify", "events:verify", "recompute the chain of events"),
    Entry("audit export", "events:export", "write the log so that anybody can verify it offline"),
    Entry("config show", "configuration:show", "every setting, its value, and where the value came from"),
)

ENTRIES = EVERY_DAY + NOUNS

GROUPS = {
    "runs": "what ran, when, and how it ended",
    "datasets": "what has landed, as it was at any time",
    "contracts": "what clean is",
    "quarantine": "rows that were refused",
    "incidents": "what went wrong with data",
    "features": "views and services",
    "labels": "annotation, agreement, review",
    "models": "registered versions and their aliases",
    "endpoints": "what serves",
    "predictions": "what was answered",
    "monitors": "what is watched",
    "alerts": "what the monitors have raised",
    "events": "what happened",
    "audit": "the proof that nobody has changed it since",
    "config": "settings of this project",
}
"""What each plural noun is about."""
