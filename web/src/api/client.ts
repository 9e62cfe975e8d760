/** The one way to the server: a verb by its name, with its typed request, to its typed answer. */

import type { components } from "./schema";

type Schemas = components["schemas"];
export type Verbs = Schemas["Verbs"];
export type VerbName = keyof Verbs;
export type Asked<N extends VerbName> = Verbs[N]["request"];
export type Answered<N extends VerbName> = Verbs[N]["answer"];
export type { Schemas };

/** What went wrong, in the words of the server: what, why, what to do. */
export class Problem extends Error {
  constructor(
    readonly what: string,
    readonly why: string,
    readonly fix: string,
    readonly code: string,
    readonly status: number,
  ) {
    super(what);
  }
}

export async function call<N extends VerbName>(verb: N, request: Asked<N>, signal?: AbortSignal): Promise<Answered<N>> {
  return (await answered(path(verb), request, signal)).json() as Promise<Answered<N>>;
}

/** The items of a verb that streams its answers, as they come. */
export async function* stream<N extends VerbName>(
  verb: N,
  request: Asked<N>,
  signal?: AbortSignal,
): AsyncGenerator<Answered<N>> {
  const response = await answered(path(verb), request, signal);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw cutOff();
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const said = JSON.parse(line) as { item?: Answered<N>; end?: true; problem?: Schemas["Problem"] };
      if (said.problem) throw problemOf(said.problem);
      if (said.end) return;
      yield said.item as Answered<N>;
    }
  }
}

/** The address of a verb, which is also the JSON twin of what a page shows. */
export function path(verb: VerbName): string {
  return `/api/v1/${verb.replace(".", "/")}`;
}

async function answered(address: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return send(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body === null || body === undefined ? "{}" : JSON.stringify(body),
    signal: signal ?? null,
  });
}

/** A request of the server's own pages; every failure becomes a Problem. */
export async function send(address: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(
      "The server does not answer.",
      "It is stopped, or the way to it is cut.",
      "Start it with treadle up; this page goes on by itself.",
      "web.no_answer",
      0,
    );
  }
  if (response.ok) return response;
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("problem+json")) throw problemOf((await response.json()) as Schemas["Problem"]);
  throw new Problem(`The server answered ${response.status}.`, "", "Try again; the log of the server says more.", "web.unknown", response.status);
}

function problemOf(said: Schemas["Problem"]): Problem {
  return new Problem(said.title, said.why ?? "", said.fix ?? "", said.code, said.status);
}

function cutOff(): Problem {
  return new Problem("The answer was cut off.", "The server stopped in the middle of it.", "Load it again.", "web.cut_off", 0);
}
