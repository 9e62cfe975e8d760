/** A row between a form and a request: text on one side, values of the model's types on the other. */

export function textOf(names: readonly string[], row: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, row[name] === null || row[name] === undefined ? "" : String(row[name])]));
}

/** An empty field is null; what should be a number and is none goes as it is, and the server says what is wrong with it. */
export function rowOf(inputs: Record<string, string>, texts: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(inputs).map(([name, type]) => [name, valueOf(type, (texts[name] ?? "").trim())]));
}

function valueOf(type: string, text: string): unknown {
  if (text === "") return null;
  if (type === "BOOL") return text === "true" ? true : text === "false" ? false : text;
  if (type === "BYTES") return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
