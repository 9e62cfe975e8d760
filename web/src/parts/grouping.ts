/** Steps as a graph that fits on a page: many elements of one mapped step are one node. */

export type Look = "good" | "waits" | "bad" | "works" | "by-hand" | "data" | "";

export interface GraphStep {
  id: string;
  /** `retrain/fit[rate=0.1]`: where it is in its run. */
  path: string;
  look: Look;
  /** How it stands, in a word or two. */
  says: string;
  needs: readonly string[];
}

export interface GraphNode {
  id: string;
  name: string;
  look: Look;
  says: string;
  /** The steps that it stands for; one, or all elements of a mapped step. */
  steps: readonly string[];
}

export interface Graph {
  nodes: GraphNode[];
  edges: { from: string; to: string }[];
}

/** So many elements of one step still stand for themselves. */
const APART = 4;
const WORST: Look[] = ["bad", "works", "waits", "by-hand", "", "good", "data"];

/** The last part of a path: slashes within brackets belong to an element's name. */
export function nameOf(path: string): string {
  return /(?:^|\/)((?:[^/[\]]|\[[^\]]*\])*)$/.exec(path)?.[1] ?? path;
}

/** The path without what tells elements and repetitions of one step apart. */
export function kindOf(path: string): string {
  return path.replace(/\[[^\]]*\]/g, "").replace(/#\d+$/, "");
}

export function grouped(steps: readonly GraphStep[]): Graph {
  const kinds = new Map<string, GraphStep[]>();
  for (const step of steps) kinds.set(kindOf(step.path), [...(kinds.get(kindOf(step.path)) ?? []), step]);
  const nodeOf = new Map<string, string>();
  const nodes: GraphNode[] = [];
  for (const [kind, alike] of kinds) {
    if (alike.length > APART) {
      const look = WORST.find((one) => alike.some((step) => step.look === one)) ?? "";
      nodes.push({ id: kind, name: `${nameOf(kind)} × ${alike.length}`, look, says: counted(alike), steps: alike.map((step) => step.id) });
      for (const step of alike) nodeOf.set(step.id, kind);
    } else {
      for (const step of alike) {
        nodes.push({ id: step.id, name: nameOf(step.path), look: step.look, says: step.says, steps: [step.id] });
        nodeOf.set(step.id, step.id);
      }
    }
  }
  const seen = new Set<string>();
  const edges: Graph["edges"] = [];
  for (const step of steps) {
    for (const need of step.needs) {
      const from = nodeOf.get(need);
      const to = nodeOf.get(step.id)!;
      if (from === undefined || from === to || seen.has(`${from} ${to}`)) continue;
      seen.add(`${from} ${to}`);
      edges.push({ from, to });
    }
  }
  return { nodes, edges };
}

function counted(steps: readonly GraphStep[]): string {
  const counts = new Map<string, number>();
  for (const step of steps) {
    const word = step.says.split(",")[0]!;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const many = [...counts].sort((a, b) => b[1] - a[1]);
  return many.length > 2 ? `${many.length} states` : many.map(([says, count]) => (many.length === 1 ? says : `${count} ${says}`)).join(", ");
}
