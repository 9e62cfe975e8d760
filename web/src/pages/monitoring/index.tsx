export { Alert } from "./Alert";
export { Monitor } from "./Monitor";
export { Monitoring } from "./Monitoring";
