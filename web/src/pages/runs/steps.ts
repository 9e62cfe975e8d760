/** The steps of a run as a graph: who was given whose result, and what came in from outside. */

import type { Schemas } from "../../api/client";
import type { GraphStep } from "../../parts/grouping";
import { duration } from "../../parts/words";
import { STATUSES, secondsOf } from "./running";

type Run = Schemas["Run"];
type RunEdge = Schemas["RunEdge"];

export interface Makers {
  of: (edge: RunEdge) => string | undefined;
  ofContent: (digest: string) => string | undefined;
}

/** Which step of this run made what another was given: by its run, by the run that it was reused from, by the content. */
export function makersOf(below: readonly Run[], edges: readonly RunEdge[]): Makers {
  const inside = new Set(below.map((run) => run.id));
  const reusing = new Map(below.flatMap((run) => (run.reused_from ? [[run.reused_from, run.id] as const] : [])));
  const byDigest = new Map<string, string>();
  for (const edge of edges) {
    if (edge.direction === "out" && inside.has(edge.run) && !byDigest.has(edge.digest)) byDigest.set(edge.digest, edge.run);
  }
  return {
    ofContent: (digest) => byDigest.get(digest),
    of: ({ producer, digest }) =>
      producer !== null && inside.has(producer) ? producer : (reusing.get(producer ?? "") ?? (producer?.startsWith("snap_") ? undefined : byDigest.get(digest))),
  };
}

export function stepsOf(below: readonly Run[], edges: readonly RunEdge[], now = Date.now()): GraphStep[] {
  const makers = makersOf(below, edges);
  const needs = new Map<string, Set<string>>();
  const data = new Map<string, GraphStep>();
  // An act that chose a snapshot answers its id: that is where the snapshot came in.
  const choosers = new Map(edges.flatMap((edge) => (edge.direction === "out" && edge.text?.startsWith("snap_") ? [[edge.text, edge.run] as const] : [])));
  for (const edge of edges) {
    if (edge.direction !== "in") continue;
    const maker = makers.of(edge);
    const snapshot = maker === undefined ? snapshotOf(edge) : null;
    if (snapshot !== null) {
      const chooser = choosers.get(edge.producer ?? "");
      data.set(edge.digest, { id: edge.digest, path: snapshot, look: "data", says: "snapshot", needs: chooser ? [chooser] : [] });
    }
    const need = maker ?? (snapshot === null ? undefined : edge.digest);
    if (need !== undefined && need !== edge.run) needs.set(edge.run, (needs.get(edge.run) ?? new Set()).add(need));
  }
  for (const run of below) {
    // What a step that works was given is recorded when it is done; until then its key says it.
    if (run.ended_at !== null || needs.has(run.id)) continue;
    const given = Object.values((run.key_parts?.["inputs"] ?? {}) as Record<string, unknown>);
    const found = given.flatMap((digest) => (typeof digest === "string" ? (makers.ofContent(digest) ?? []) : []));
    needs.set(run.id, new Set(found.filter((maker) => maker !== run.id)));
  }
  const steps = below
    .filter((run) => run.kind !== "pipeline")
    .map((run): GraphStep => ({ id: run.id, path: run.path, look: STATUSES[run.status], says: stands(run, now), needs: [...(needs.get(run.id) ?? [])] }));
  return [...data.values(), ...steps];
}

/** `vectors v12` for a snapshot; null for anything else. */
export function snapshotOf(edge: RunEdge): string | null {
  const { dataset, version } = edge.meta as { dataset?: string; version?: number };
  return edge.kind === "snapshot" && dataset ? `${dataset} v${version ?? "?"}` : null;
}

function stands(run: Run, now: number): string {
  if (run.status === "cached") return "known, not run again";
  if (run.kind === "act" && run.status === "done") return "act, done";
  const took = secondsOf(run, now);
  return took === null ? run.status : `${run.status}, ${duration(took)}`;
}
