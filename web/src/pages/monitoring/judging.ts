/** What the charts of a monitor are drawn from. */

import type { Schemas } from "../../api/client";
import { figure } from "../../parts/words";

type Window = Schemas["MonitorWindow"];

/** Windows oldest first, one for each start: of the version with the most rows where several answered. */
export function leading(windows: readonly Window[]): Window[] {
  const best = new Map<string, Window>();
  for (const window of windows) {
    const known = best.get(window.starts_at);
    if (known === undefined || window.rows > known.rows) best.set(window.starts_at, window);
  }
  return [...best.values()].sort((a, b) => a.starts_at.localeCompare(b.starts_at));
}

/** Columns of a window, those that moved furthest first. */
export function moved(window: Window): Schemas["ColumnDrift"][] {
  return [...window.drift.columns].sort((a, b) => b.z - a.z);
}

export function columnsText(alert: Schemas["Alert"], most = 3): string {
  const names = alert.symptoms.map((symptom) => symptom.column);
  return names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} more` : "");
}

/** Alerts of one kind, or without one, all. */
export function ofKind(alerts: readonly Schemas["Alert"][], kind: string | undefined): Schemas["Alert"][] {
  return alerts.filter((alert) => kind === undefined || alert.kind === kind);
}

/** A figure with the interval that it is known within. */
export function interval(value: number | null, bounds: [number, number] | null, words: (value: number) => string = figure): string {
  return value === null ? "–" : `${words(value)}${bounds ? ` (${words(bounds[0])} to ${words(bounds[1])})` : ""}`;
}
