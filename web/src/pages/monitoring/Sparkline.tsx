/** A small line of a figure over windows, with the bound that it should stay below. */

interface SparklineProps {
  values: readonly (number | null)[];
  bounds: readonly (number | null)[];
  label: string;
}

const WIDTH = 300;
const HEIGHT = 56;

export function Sparkline({ values, bounds, label }: SparklineProps) {
  const known = [...values, ...bounds].filter((value): value is number => value !== null);
  if (known.length === 0) return null;
  const most = Math.max(...known) * 1.1 || 1;
  const x = (at: number) => (at / Math.max(1, values.length - 1)) * WIDTH;
  const y = (value: number) => HEIGHT - (value / most) * HEIGHT;
  const line = (of: readonly (number | null)[]) =>
    of
      .map((value, at) => (value === null ? "" : `${at === 0 || of[at - 1] === null ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`))
      .join("");
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" style={{ width: "100%", height: HEIGHT }} role="img" aria-label={label}>
      <path d={line(bounds)} fill="none" stroke="var(--red)" strokeDasharray="4 3" vectorEffect="non-scaling-stroke" />
      <path d={line(values)} fill="none" stroke="var(--series-1)" strokeWidth={1.8} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
