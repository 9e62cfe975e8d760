export { Prediction } from "./Prediction";
export { Predictions } from "./Predictions";
