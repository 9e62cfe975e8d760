export { Compare } from "./Compare";
export { Experiment } from "./Experiment";
export { Experiments } from "./Experiments";
export { TrackedRun } from "./TrackedRun";
