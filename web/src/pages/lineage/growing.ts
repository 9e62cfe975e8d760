/** The tree that a walk answers, as a graph: the same thing once, however often it was met; folded where it grows too large. */

import type { Schemas } from "../../api/client";

export type Thing = Schemas["Node"];

export interface GraphNode {
  key: string;
  thing: Thing;
  /** How many things below it are not shown. */
  folded: number;
  depth: number;
}

export interface GraphEdge {
  from: string;
  to: string;
  relation: string;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export function keyOf(thing: Thing): string {
  return `${thing.kind} ${thing.id || thing.title}`;
}

/** Each thing of a walk once, with its children together. A thing that is met again has its children where it was met first. */
export function merged(root: Thing): { things: Map<string, Thing>; below: Map<string, { key: string; relation: string }[]> } {
  const things = new Map<string, Thing>();
  const below = new Map<string, { key: string; relation: string }[]>();
  const waiting: Thing[] = [root];
  while (waiting.length) {
    const at = waiting.pop()!;
    const key = keyOf(at);
    // Where a thing is met again, the walk says only that it was shown before; its facts stand where it was met first.
    if (!things.has(key) || things.get(key)!.note === "shown above") things.set(key, at);
    const known = below.get(key) ?? [];
    for (const child of at.children) {
      const to = keyOf(child);
      if (!known.some((one) => one.key === to)) known.push({ key: to, relation: child.relation });
      waiting.push(child);
    }
    below.set(key, known);
  }
  return { things, below };
}

/**
 * What is shown of a walk: everything down to `depth`, what was opened by hand beyond it, and of a thing with many of one kind
 * below only the first `most` until it is opened.
 */
export function shownOf(root: Thing, depth: number, opened: ReadonlySet<string>, most = 12): Graph {
  const { things, below } = merged(root);
  const nodes = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  const waiting: { key: string; depth: number }[] = [{ key: keyOf(root), depth: 0 }];
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    if (nodes.has(at.key)) continue;
    const children = below.get(at.key) ?? [];
    const isOpen = opened.has(at.key);
    const shown = isOpen ? children : at.depth >= depth ? [] : children.slice(0, most);
    nodes.set(at.key, { key: at.key, thing: things.get(at.key)!, folded: children.length - shown.length, depth: at.depth });
    for (const child of shown) {
      edges.push({ from: at.key, to: child.key, relation: child.relation });
      waiting.push({ key: child.key, depth: at.depth + 1 });
    }
  }
  return { nodes: [...nodes.values()], edges };
}

export function said(thing: Thing): string {
  return `${thing.kind} ${thing.title} ${thing.id}`.toLowerCase();
}

/** What has to be opened so that things that hold some words are shown, wherever they are folded: the first `most` of them. */
export function openedFor(root: Thing, text: string, most = 30): Set<string> {
  const words = text.toLowerCase().trim();
  const opened = new Set<string>();
  if (!words) return opened;
  const { things, below } = merged(root);
  const above = new Map<string, string>();
  const seen = new Set<string>([keyOf(root)]);
  const waiting = [keyOf(root)];
  let found = 0;
  for (let at = waiting.shift(); at !== undefined && found < most; at = waiting.shift()) {
    if (said(things.get(at)!).includes(words)) {
      found += 1;
      for (let up = above.get(at); up !== undefined; up = above.get(up)) opened.add(up);
    }
    for (const child of below.get(at) ?? []) {
      if (seen.has(child.key)) continue;
      seen.add(child.key);
      above.set(child.key, at);
      waiting.push(child.key);
    }
  }
  return opened;
}

/** Every thing on a way from the root to a thing, with it. */
export function wayTo(graph: Graph, key: string): Set<string> {
  const above = new Map<string, string[]>();
  for (const edge of graph.edges) above.set(edge.to, [...(above.get(edge.to) ?? []), edge.from]);
  const found = new Set<string>([key]);
  const waiting = [key];
  while (waiting.length) {
    for (const parent of above.get(waiting.pop()!) ?? []) {
      if (!found.has(parent)) {
        found.add(parent);
        waiting.push(parent);
      }
    }
  }
  return found;
}

/** The page about a thing of the graph, where there is one. */
export function pageOf(thing: Thing): string | null {
  const id = thing.id;
  if (thing.kind === "model version") {
    const [, model, version] = id.split("/");
    return model && version ? `/models/${model}/${version}` : null;
  }
  if (thing.kind === "run") return `/runs/${id}`;
  if (thing.kind === "prediction") return `/predictions/${id}`;
  if (thing.kind === "alert") return `/alerts/${id}`;
  if (thing.kind === "event") return `/activity?event=${id}`;
  if (thing.kind === "endpoint") return `/endpoints/${id.replace(/^endpoint\//, "")}`;
  if (thing.kind === "snapshot") return `/datasets/${thing.title.split(" version ")[0]}`;
  if (thing.kind === "dataset") return `/datasets/${id.replace(/^dataset\//, "")}`;
  return null;
}
