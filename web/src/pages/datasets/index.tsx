export { Dataset } from "./Dataset";
export { Datasets } from "./Datasets";
