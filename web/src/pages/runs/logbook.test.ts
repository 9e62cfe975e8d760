import { expect, it } from "vitest";
import { LogBook, shown } from "./logbook";

function chunk(content: string, path = "p/fit", stream = "stdout") {
  return { run: path, path, stream, content, recorded_at: "2026-01-01T00:00:00Z" };
}

it("puts lines together that chunks cut apart, each step's own", () => {
  const book = new LogBook();
  for (const one of [chunk("epoch 1\nepo"), chunk("reading", "p/read"), chunk("ch 2\n"), chunk("\n", "p/read")]) book.add(one);

  expect(book.lines.map((line) => [line.step, line.text])).toEqual([
    ["fit", "epoch 1"],
    ["fit", "epoch 2"],
    ["read", "reading"],
  ]);
});

it("keeps empty lines within a text and adds none at its end", () => {
  const book = new LogBook();
  book.add(chunk("a\n\nb\n"));

  expect(book.lines.map((line) => line.text)).toEqual(["a", "", "b"]);
});

it("shows text as a terminal would leave it, and obeys none of its codes", () => {
  expect(shown("\u001b[1;31mred\u001b[0m \u001b]0;title\u0007end")).toBe("red end");
  expect(shown("10%\r50%\r100%\r")).toBe("100%");
  expect(shown("\u001b]8;;javascript:alert(1)\u001b\\click\u001b]8;;\u001b\\")).toBe("click");
  expect(shown("<b>not html</b>\u0000")).toBe("<b>not html</b>");
});
