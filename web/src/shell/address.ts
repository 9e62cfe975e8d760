/** What a page keeps in its address, so that it can be shared: filters, tabs, selections. */

import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** The part of the address after `?`, and how to change some of it; None takes a name out. Going back undoes `push`. */
export function useAddress<T extends Record<string, unknown>>(): [Partial<T>, (change: Partial<T>, push?: boolean) => void] {
  const search = useSearch({ strict: false }) as Partial<T>;
  const navigate = useNavigate();
  const change = useCallback(
    (part: Partial<T>, push = false) => {
      void navigate({
        to: ".",
        search: ((before: Record<string, unknown>) => {
          const next = { ...before, ...part } as Record<string, unknown>;
          for (const name of Object.keys(next)) if (next[name] === undefined || next[name] === "" || next[name] === null) delete next[name];
          return next;
        }) as never,
        replace: !push,
      });
    },
    [navigate],
  );
  return [search, change];
}

/** A part of the path, such as `$name`. */
export function useParam(name: string): string {
  const params = useParams({ strict: false }) as Record<string, string | undefined>;
  return params[name] ?? "";
}
