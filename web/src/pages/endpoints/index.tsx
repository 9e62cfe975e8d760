export { Endpoint } from "./Endpoint";
export { Endpoints } from "./Endpoints";
