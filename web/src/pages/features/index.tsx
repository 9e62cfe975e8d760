export { FeatureView } from "./FeatureView";
export { Features } from "./Features";
