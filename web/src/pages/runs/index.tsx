export { Run } from "./Run";
export { Runs } from "./Runs";
