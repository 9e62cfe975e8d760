/** The figures that an interval is drawn from, wherever an evidence keeps them. */

export interface Interval {
  name: string;
  value: number;
  lower: number;
  upper: number;
}

export interface Finding {
  name: string;
  wanted: string;
  found: string;
  passed: boolean;
}

/** The gates that an evidence tells of. */
export function findingsOf(body: Record<string, unknown>): Finding[] {
  const findings = body["findings"];
  return Array.isArray(findings) ? (findings as Finding[]).filter((one) => typeof one?.name === "string") : [];
}

function number(of: unknown): number | null {
  return typeof of === "number" && Number.isFinite(of) ? of : null;
}

/** The difference to the champion with its bounds: `difference`, `lower`, `upper`, in the body or in its figures. */
export function intervalOf(body: Record<string, unknown>): Interval | null {
  const figures = typeof body["figures"] === "object" && body["figures"] !== null ? (body["figures"] as Record<string, unknown>) : {};
  for (const place of [figures, body]) {
    const value = number(place["difference"]);
    const lower = number(place["lower"] ?? place["difference_lower"]);
    const upper = number(place["upper"] ?? place["difference_upper"]);
    if (value !== null && lower !== null && upper !== null) return { name: "Difference", value, lower, upper };
  }
  return null;
}
