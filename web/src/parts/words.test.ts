import { describe, expect, it } from "vitest";
import { ago, bytes, duration, figure, percent, plural } from "./words";

describe("figures", () => {
  it("keeps four digits, and thousands apart", () => {
    expect([figure(0.123456), figure(1234567), figure(0), figure(-2.5)]).toEqual(["0.1235", "1,234,567", "0", "-2.5"]);
  });
  it("says what is not a number", () => {
    expect([figure(null), figure(Number.NaN), figure(Infinity)]).toEqual(["–", "NaN", "∞"]);
  });
  it("writes the very small with a power", () => {
    expect(figure(0.00000123)).toBe("1.23e-6");
  });
});

describe("words", () => {
  it("gives sizes in the unit that reads best", () => {
    expect([bytes(12), bytes(1500), bytes(12_697_041)]).toEqual(["12 B", "1.5 kB", "13 MB"]);
  });
  it("gives durations in the unit that reads best", () => {
    expect([duration(0.0123), duration(9.18), duration(125), duration(7300)]).toEqual(["12 ms", "9.2 s", "2 min 5 s", "2 h 1 min"]);
  });
  it("says how long ago, and how soon", () => {
    const now = Date.parse("2026-05-01T12:00:00Z");
    expect(ago("2026-05-01T11:57:00Z", now)).toBe("3 min ago");
    expect(ago("2026-05-01T14:00:00Z", now)).toBe("in 2 h");
  });
  it("counts one and many", () => {
    expect([plural(1, "run"), plural(2, "run"), percent(0.1234)]).toEqual(["1 run", "2 runs", "12.3%"]);
  });
});
