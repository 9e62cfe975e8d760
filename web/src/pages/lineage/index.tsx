export { Lineage } from "./Lineage";
