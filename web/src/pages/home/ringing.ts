/** Where the systems stand on the ring, and the bars under their names. */

/** `count` places on a circle, the first at the top, clockwise. Coordinates of a square whose middle is (middle, middle). */
export function placesOnRing(count: number, middle: number, radius: number): { x: number; y: number }[] {
  return Array.from({ length: count }, (_, at) => {
    const angle = (at / count) * 2 * Math.PI - Math.PI / 2;
    return { x: middle + radius * Math.cos(angle), y: middle + radius * Math.sin(angle) };
  });
}

/** Bars in a box of 100 by 16; the root makes the small ones seen beside the large. */
export function sparks(series: readonly number[]): { x: number; width: number; height: number }[] {
  const most = Math.max(1, ...series);
  const step = 100 / Math.max(1, series.length);
  return series
    .map((count, at) => ({ x: at * step, width: step * 0.7, height: count === 0 ? 0 : Math.max(1.5, 16 * Math.sqrt(count / most)) }))
    .filter((bar) => bar.height > 0);
}

export function stateWord(state: string): string {
  return { well: "well", waits: "something waits", wrong: "something is wrong", quiet: "quiet" }[state] ?? state;
}
