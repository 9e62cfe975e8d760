/** What happens in the project, as it happens, and whether we hear of it. */

import { useSyncExternalStore } from "react";
import type { Schemas } from "./client";
import { refresh } from "./hooks";

export type LiveState = { connected: boolean; since: number };
type Listener = (event: Schemas["Event"]) => void;

const REFRESH_EVERY_MS = 1000;
const heard = new Set<Listener>();
const watching = new Set<() => void>();
let state: LiveState = { connected: false, since: Date.now() };
let source: EventSource | null = null;
let due: ReturnType<typeof setTimeout> | null = null;

/** Begins to listen; the browser connects again by itself, from where it was. */
export function listen(): void {
  if (source !== null) return;
  source = new EventSource("/api/v1/events/live");
  source.onmessage = (message) => {
    const event = JSON.parse(message.data as string) as Schemas["Event"];
    for (const one of heard) one(event);
    soon();
  };
  source.addEventListener("here", () => become(true));
  source.addEventListener("anew", () => {
    become(true);
    soon();
  });
  source.onerror = () => {
    become(false);
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(listen, 3000);
    }
  };
}

export function onEvent(listener: Listener): () => void {
  heard.add(listener);
  return () => heard.delete(listener);
}

export function useLive(): LiveState {
  return useSyncExternalStore(
    (changed) => {
      watching.add(changed);
      return () => watching.delete(changed);
    },
    () => state,
  );
}

function become(connected: boolean): void {
  if (connected === state.connected) return;
  if (connected) soon();
  state = { connected, since: Date.now() };
  for (const changed of watching) changed();
}

/** Many events come at once when a run goes on; what is shown is fetched once a second. */
function soon(): void {
  due ??= setTimeout(() => {
    due = null;
    void refresh();
  }, REFRESH_EVERY_MS);
}
