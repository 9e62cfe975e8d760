export { Model } from "./Model";
export { Models } from "./Models";
export { Version } from "./Version";
