export { Pipeline } from "./Pipeline";
export { Pipelines } from "./Pipelines";
