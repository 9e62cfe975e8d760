import { expect, it } from "vitest";
import { keyOf, merged, openedFor, pageOf, shownOf, wayTo, type Thing } from "./growing";

function thing(id: string, children: Thing[] = [], kind = "run"): Thing {
  return { id, kind, title: id, relation: "from", facts: {}, note: "", children };
}

it("shows a thing once that was met on two ways", () => {
  const shared = thing("data", [thing("raw")]);
  const graph = shownOf(thing("root", [thing("a", [shared]), thing("b", [shared])]), 9, new Set());

  expect(graph.nodes.map((node) => node.thing.id).sort()).toEqual(["a", "b", "data", "raw", "root"]);
  expect(graph.edges.filter((edge) => edge.to === "run data")).toHaveLength(2);
});

it("keeps the children of a thing that is repeated without them", () => {
  const { below } = merged(thing("root", [thing("a", [thing("data")]), thing("b", [thing("a")])]));

  expect(below.get("run a")!.map((one) => one.key)).toEqual(["run data"]);
});

it("folds what lies deeper, and counts it", () => {
  const graph = shownOf(thing("root", [thing("a", [thing("b"), thing("c")])]), 1, new Set());

  expect(graph.nodes.map((node) => [node.thing.id, node.folded])).toEqual([["root", 0], ["a", 2]]);
  expect(shownOf(thing("root", [thing("a", [thing("b"), thing("c")])]), 1, new Set(["run a"])).nodes).toHaveLength(4);
});

it("stays small where one thing has thousands below it", () => {
  const many = Array.from({ length: 5000 }, (_, at) => thing(`p${at}`));
  const graph = shownOf(thing("root", many), 3, new Set());

  expect(graph.nodes).toHaveLength(13);
  expect(graph.nodes[0]!.folded).toBe(4988);
});

it("opens the way to a thing that is searched for, wherever it is folded", () => {
  const deep = thing("root", [thing("a", [thing("b", [thing("c", [thing("orders version 3", [], "snapshot")])])]), thing("x")]);

  expect([...openedFor(deep, "Orders")].sort()).toEqual(["run a", "run b", "run c", "run root"]);
  expect(openedFor(deep, " ").size).toBe(0);
});

it("finds the way from the root to a thing", () => {
  const graph = shownOf(thing("root", [thing("a", [thing("b")]), thing("c")]), 9, new Set());

  expect([...wayTo(graph, "run b")].sort()).toEqual(["run a", "run b", "run root"]);
});

it("knows the page of what has one", () => {
  expect(pageOf(thing("model/late/3", [], "model version"))).toBe("/models/late/3");
  expect(pageOf(thing("sha256:ab", [], "code"))).toBeNull();
  expect(keyOf(thing("x"))).toBe("run x");
});
