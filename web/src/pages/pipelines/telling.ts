/** What starts pipelines, in words; and parameters between a form and JSON. */

import type { Schemas } from "../../api/client";
import { duration, figure } from "../../parts/words";

type Trigger = Schemas["TriggerLine"];
type Parameter = Schemas["Parameter"];

/** `0 3 * * * (UTC)`, or `alert.opened of endpoint/shop`. */
export function whenOf(trigger: Trigger): string {
  if (trigger.kind === "schedule") return `${trigger.when} (${trigger.about})`;
  const of = trigger.about === "*" ? `any ${trigger.when}` : `${trigger.when} of ${trigger.about}`;
  return trigger.counted === null || trigger.counted === undefined ? of : `${of}, ${figure(trigger.counted)} of ${figure(trigger.wanted)} counted`;
}

/** Who or what a firing came from, by its source. */
export function sourceOf(source: string): string {
  const [kind, ...rest] = source.split(":");
  if (kind === "schedule") return `schedule ${rest[1] ?? ""} (${rest.slice(2).join(":")})`;
  if (kind === "trigger") return `${rest[1] ?? ""} of ${rest.slice(2).join(":")}`;
  if (kind === "resume") return "resumed";
  return kind === "hand" ? "by hand" : source;
}

export function limitsOf(limits: Schemas["Limits"] | null): string {
  if (limits === null) return "";
  const said: string[] = [];
  const period = duration(limits.period_s);
  if (limits.cool_down_s) said.push(`${duration(limits.cool_down_s)} after its last run`);
  if (limits.max_runs) said.push(`at most ${limits.max_runs} runs in ${period}`);
  if (limits.max_compute_s) said.push(`at most ${duration(limits.max_compute_s)} of compute in ${period}`);
  if (limits.also?.length) said.push(`runs of ${limits.also.join(", ")} count too`);
  return said.join("; ");
}

/** What stands in the field of a parameter at first. */
export function textOf(parameter: Parameter, given: Record<string, unknown> | undefined): string {
  const value = given && parameter.name in given ? plain(given[parameter.name]) : parameter.default;
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A recorded parameter as a form takes it: moments and paths are kept as `{"$datetime": "…"}`. */
export function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const entries = Object.entries(value as Record<string, unknown>);
  return entries.length === 1 && entries[0]![0].startsWith("$") ? entries[0]![1] : value;
}

/** The parameters that differ from their defaults, as JSON: what is text stays text, the rest is read where it can be. */
export function valuesOf(parameters: readonly Parameter[], texts: Record<string, string>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const parameter of parameters) {
    const text = texts[parameter.name] ?? "";
    if (text === textOf(parameter, undefined)) continue;
    if (text === "" && parameter.type !== "str") continue;
    values[parameter.name] = parameter.type === "str" ? text : read(text);
  }
  return values;
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The parameters that an address names as JSON; none where it is no such thing. */
export function parametersIn(text: unknown): Record<string, unknown> {
  const value = typeof text === "string" ? read(text) : text;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
