/** Shares of traffic that always come to a whole. */

/** The weights with one set to `share`; what is left goes to the others as they stood to each other. */
export function rebalanced(weights: Record<string, number>, changed: string, share: number): Record<string, number> {
  const wanted = Math.min(1, Math.max(0, share));
  const others = Object.entries(weights).filter(([name, weight]) => name !== changed && weight > 0);
  if (others.length === 0) return { [changed]: 1 };
  const before = others.reduce((sum, [, weight]) => sum + weight, 0);
  const next: Record<string, number> = { [changed]: wanted };
  for (const [name, weight] of others) next[name] = (weight / before) * (1 - wanted);
  return rounded(next, changed);
}

/** Whole percents, which come to 100; the last of the others takes what rounding left. */
function rounded(weights: Record<string, number>, changed: string): Record<string, number> {
  const next = Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, Math.round(weight * 100)]));
  const last = Object.keys(next).filter((name) => name !== changed).at(-1)!;
  next[last] = (next[last] ?? 0) + 100 - Object.values(next).reduce((sum, weight) => sum + weight, 0);
  return Object.fromEntries(Object.entries(next).map(([name, weight]) => [name, weight / 100]));
}
