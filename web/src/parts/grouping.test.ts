import { expect, it } from "vitest";
import { grouped, kindOf, nameOf, type GraphStep } from "./grouping";

function step(path: string, needs: string[] = [], look: GraphStep["look"] = "good"): GraphStep {
  return { id: path, path, look, says: look === "bad" ? "failed, 3 ms" : "done, 2 s", needs };
}

it("names a step by the last part of its path, with slashes inside of brackets", () => {
  expect(nameOf("retrain/fit[file=a/b.csv]")).toBe("fit[file=a/b.csv]");
  expect(kindOf("retrain/fit[rate=0.1]")).toBe("retrain/fit");
  expect(kindOf("retrain/floor#2")).toBe("retrain/floor");
});

it("lets a few elements stand for themselves", () => {
  const graph = grouped([step("p/read"), step("p/fit[1]", ["p/read"]), step("p/fit[2]", ["p/read"])]);

  expect(graph.nodes.map((node) => node.name)).toEqual(["read", "fit[1]", "fit[2]"]);
  expect(graph.edges).toHaveLength(2);
});

it("makes many elements of one step one node, which stands as its worst does", () => {
  const elements = Array.from({ length: 9 }, (_, at) => step(`p/fit[${at}]`, ["p/read"], at === 3 ? "bad" : "good"));
  const graph = grouped([step("p/read"), ...elements, step("p/best", elements.map((one) => one.id))]);

  expect(graph.nodes.map((node) => [node.name, node.look, node.says])).toEqual([
    ["read", "good", "done, 2 s"],
    ["fit × 9", "bad", "8 done, 1 failed"],
    ["best", "good", "done, 2 s"],
  ]);
  expect(graph.edges).toEqual([
    { from: "p/read", to: "p/fit" },
    { from: "p/fit", to: "p/best" },
  ]);
});

it("leaves out what is not in the graph", () => {
  expect(grouped([step("p/fit", ["of another run"])]).edges).toEqual([]);
});
