import { afterEach, expect, it, vi } from "vitest";
import { Problem, call, stream } from "./client";

afterEach(() => vi.unstubAllGlobals());

function answers(body: string, status = 200, type = "application/json"): void {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status, headers: { "content-type": type } })));
}

it("says the problem of the server in its words", async () => {
  const said = { type: "t", title: "There is no run.", status: 404, code: "runs.not_found", why: "It is gone.", fix: "List them." };
  answers(JSON.stringify(said), 404, "application/problem+json");

  const error = await call("runs.get", { run: "x" }).catch((caught: unknown) => caught);

  expect(error).toBeInstanceOf(Problem);
  expect(error).toMatchObject({ what: "There is no run.", why: "It is gone.", fix: "List them.", code: "runs.not_found" });
});

it("tells a server that is away from one that refuses", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));

  await expect(call("runs.get", { run: "x" })).rejects.toMatchObject({ code: "web.no_answer", status: 0 });
});

it("reads a stream item by item until its end", async () => {
  answers('{"item":{"content":"a"}}\n{"item":{"content":"b"}}\n{"end":true}\n');

  const read: string[] = [];
  for await (const chunk of stream("runs.logs", { run: "x" })) read.push(chunk.content);

  expect(read).toEqual(["a", "b"]);
});

it("notices a stream that was cut off", async () => {
  answers('{"item":{"content":"a"}}\n');

  const read = async () => {
    for await (const chunk of stream("runs.logs", { run: "x" })) void chunk;
  };

  await expect(read()).rejects.toMatchObject({ code: "web.cut_off" });
});
