"""Tracking in a workspace: experiments and their runs, metrics, files, traces, studies, and what searches them."""

# Imports inside of functions are this package's purpose: they are what makes a workspace cheap to open.

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.ground.memo import cached_property

if TYPE_CHECKING:
    from treadle.assembly.kernel import Kernel
    from treadle.systems.train.files import Files
    from treadle.systems.train.files.contents import Contents
    from treadle.systems.train.files.trash import Trash
    from treadle.systems.train.files.uploads import Uploads
    from treadle.systems.train.moving.importing import Import
    from treadle.systems.train.moving.ports import ForeignRows
    from treadle.systems.train.moving.service import Moving
    from treadle.systems.train.search.service import Searches
    from treadle.systems.train.traces.assessing import Assessments
    from treadle.systems.train.traces.evaluation import EvaluationDatasets
    from treadle.systems.train.traces.scorers import Scorers
    from treadle.systems.train.traces.service import Traces
    from treadle.systems.train.tracking.adopting import AdoptedRuns
    from treadle.systems.train.tracking.experiments import Experiments
    from treadle.systems.train.tracking.inputs import RunInputs
    from treadle.systems.train.tracking.logged_models import LoggedModels
    from treadle.systems.train.tracking.metrics import Metrics
    from treadle.systems.train.tracking.runs import TrackedRuns
    from treadle.systems.train.tuning import Studies


class Tracking:
    """The parts of tracking; each is made when it is first asked for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @cached_property
    def experiments(self) -> Experiments:
        from treadle.systems.train.tracking.experiments import PROXIED, Experiments

        root = self._kernel.settings.artifact_root or PROXIED
        return Experiments(self._kernel.store, self._kernel.events, self._kernel.clock, artifact_root=root)

    @cached_property
    def runs(self) -> TrackedRuns:
        """The runs of tracking clients."""
        from treadle.systems.train.tracking.runs import TrackedRuns

        return TrackedRuns(
            self._kernel.store, self.experiments, self._kernel.events, self._kernel.clock, self._kernel.new_id
        )

    @cached_property
    def adopted(self) -> AdoptedRuns:
        """Steps of the engine in which a tracking client logs."""
        from treadle.systems.train.tracking.adopting import AdoptedRuns

        return AdoptedRuns(self._kernel.store, self.experiments, self._kernel.clock)

    @cached_property
    def metrics(self) -> Metrics:
        from treadle.systems.train.tracking.metrics import Metrics

        return Metrics(self._kernel.store)

    @cached_property
    def inputs(self) -> RunInputs:
        """What the runs of tracking clients read and made."""
        from treadle.systems.train.tracking.inputs import RunInputs
        from treadle.systems.train.tracking.lineage import RunEdges

        return RunInputs(
            self._kernel.store, self.runs, RunEdges(self._kernel.artifacts, self._kernel.clock), self._kernel.new_id
        )

    @cached_property
    def logged_models(self) -> LoggedModels:
        from treadle.systems.train.tracking.logged_models import LoggedModels

        return LoggedModels(
            self._kernel.store, self.experiments, self._kernel.events, self._kernel.clock, self._kernel.new_id
        )

    @cached_property
    def searches(self) -> Searches:
        from treadle.systems.train.search.service import Searches

        return Searches(self._kernel.store, self.experiments.begin)

    @cached_property
    def files(self) -> Files:
        """What lies at which path of a run, a logged model or a trace."""
        from treadle.systems.train.files import Files

        return Files(self._kernel.store, self.contents, self._kernel.events, self._kernel.clock)

    @cached_property
    def contents(self) -> Contents:
        """The bytes of files."""
        from treadle.systems.train.files.contents import SMALL_BYTES, Contents

        is_remote = "://" in self._kernel.settings.artifacts
        return Contents(self._kernel.store, self._kernel.blobs, small_bytes=0 if is_remote else SMALL_BYTES)

    @cached_property
    def uploads(self) -> Uploads:
        """Files that come in parts."""
        from treadle.systems.train.files.uploads import Uploads

        return Uploads(
            self._kernel.store,
            self.files,
            self._kernel.home.absolute() / "uploads",
            self._kernel.clock,
            self._kernel.new_id,
        )

    @cached_property
    def trash(self) -> Trash:
        """What was deleted and waits for the end of its retention."""
        from treadle.systems.train.files.trash import Trash

        return Trash(self._kernel.store, self._kernel.events, self._kernel.clock)

    @cached_property
    def studies(self) -> Studies:
        """Studies, whose trials are runs of tracking as well."""
        from treadle.systems.train.tuning import Studies
        from treadle.systems.train.tuning.runs import TrackedTrials

        runs = TrackedTrials(self._kernel.store, self.experiments, self.runs, self._kernel.clock, self._kernel.new_id)
        return Studies(self._kernel.store, self._kernel.events, self._kernel.clock, runs)

    @cached_property
    def traces(self) -> Traces:
        from treadle.systems.train.traces.service import Traces

        return Traces(self._kernel.store, self._kernel.events, self.experiments.begin, self.files.purge)

    @cached_property
    def assessments(self) -> Assessments:
        from treadle.systems.train.traces.assessing import Assessments

        return Assessments(self._kernel.store, self._kernel.clock)

    @cached_property
    def evaluation_datasets(self) -> EvaluationDatasets:
        from treadle.systems.train.traces.evaluation import EvaluationDatasets

        return EvaluationDatasets(self._kernel.store, self._kernel.events, self._kernel.clock)

    @cached_property
    def scorers(self) -> Scorers:
        from treadle.systems.train.traces.scorers import Scorers

        return Scorers(self._kernel.store, self._kernel.events, self._kernel.clock, self.experiments.begin)

    @cached_property
    def moving(self) -> Moving:
        """Brings stores of MLflow in, and writes them out."""
        from treadle.systems.train.moving.service import Moving

        def foreign_rows(url: str) -> ForeignRows:
            from treadle.backends.foreign_postgres import ForeignPostgres

            return ForeignPostgres(url)

        databases = dict.fromkeys(("postgresql", "postgres"), foreign_rows)
        begin = self.experiments.begin
        return Moving(self._kernel.store, self.files, self._kernel.refs, begin, self._new_import, databases)

    def _new_import(self) -> Import:
        from treadle.systems.train.moving.importing import Import
        from treadle.systems.train.moving.registering import RegistryImport
        from treadle.systems.train.registry.lookup import Lookup
        from treadle.systems.train.registry.origins import TrackingOrigins
        from treadle.systems.train.registry.sealing import Sealer

        sealer = Sealer(
            self._kernel.store,
            Lookup(self._kernel.refs),
            self.contents,
            TrackingOrigins(),
            self._kernel.clock,
            self._kernel.new_id,
        )
        registry = RegistryImport(
            self._kernel.store, self._kernel.refs, self._kernel.events, sealer, self._kernel.clock
        )
        return Import(
            self._kernel.store,
            self.experiments,
            self.runs,
            self.inputs,
            self.logged_models,
            registry,
            self.files,
            self._kernel.events,
            self._kernel.clock,
        )
