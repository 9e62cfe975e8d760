"""What can go wrong while pipelines run.

TreadleError
├── InvalidInput
│   ├── HandleUsedAsValue       a step's result was used as if it were the value
│   ├── UnkeyableArgument       an argument has no identity that a cache key could rest on
│   ├── InvalidStep             a decorator's options contradict each other
│   ├── ParametersWrong         a run was asked for with parameters that its pipeline does not take
│   ├── CodeUnusable            the published code does not come as far as its pipeline
│   ├── InvalidSchedule         a cron expression or zone that nobody can follow
│   └── UnserialisableResult    a step returned something that cannot be kept
├── Conflict
│   ├── LeaseLost               another process has taken this run over
│   ├── NotRecorded             what is made again asks for what the recorded run never was told
│   └── RunIsHeld               a live process is still working on this run
├── NotFound
│   ├── RunNotFound
│   ├── PipelineNotFound
│   └── WaitNotFound            nothing waits under that id
├── Unavailable
│   └── SlotsTaken              a concurrency limit is full (internal: the engine waits)
├── StepFailed                  a step's body raised; the traceback is part of the message
│   ├── StepExited              the body called sys.exit
│   ├── StepTimedOut            the time limit ended the work
│   ├── WorkerDied              the process that ran the step is gone
│   └── NotReproduced           a value kept by digest alone came out different when recomputed
├── ProcessKeepsDying           a run's process died again and again before it had done a step
├── RunFailed                   a run that was asked for its value ended without one
└── RunCancelled                somebody asked for the run to stop
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound, TreadleError, Unavailable


class HandleUsedAsValue(InvalidInput, TypeError):
    code = "engine.handle_used_as_value"


class UnkeyableArgument(InvalidInput):
    code = "engine.unkeyable_argument"


class InvalidStep(InvalidInput):
    code = "engine.invalid_step"


class ParametersWrong(InvalidInput):
    code = "engine.parameters_wrong"


class CodeUnusable(InvalidInput):
    code = "engine.code_unusable"


class InvalidSchedule(InvalidInput):
    code = "engine.invalid_schedule"


class UnserialisableResult(InvalidInput):
    code = "engine.unserialisable_result"


class LeaseLost(Conflict):
    code = "engine.lease_lost"


class RunIsHeld(Conflict):
    code = "engine.run_is_held"


class NotRecorded(Conflict):
    code = "engine.not_recorded"


class RunNotFound(NotFound):
    code = "engine.run_not_found"


class PipelineNotFound(NotFound):
    code = "engine.pipeline_not_found"


class WaitNotFound(NotFound):
    code = "engine.wait_not_found"


class SlotsTaken(Unavailable):
    code = "engine.slots_taken"


class StepFailed(TreadleError):
    code, status = "engine.step_failed", 500


class StepExited(StepFailed):
    code = "engine.step_exited"


class StepTimedOut(StepFailed):
    code = "engine.step_timed_out"


class WorkerDied(StepFailed):
    code, retryable = "engine.worker_died", True


class NotReproduced(StepFailed):
    code = "engine.not_reproduced"


class ProcessKeepsDying(TreadleError):
    code = "engine.process_keeps_dying"


class RunFailed(TreadleError):
    code = "engine.run_failed"


class RunCancelled(TreadleError):
    code, status = "engine.run_cancelled", 409
