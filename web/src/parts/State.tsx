/** What stands where something is not there: not yet, not at all, or because it went wrong. */

import { Button, Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Problem } from "../api/client";

export function Loading({ rows = 5 }: { rows?: number }) {
  return (
    <div className="stack" role="status" aria-label="Loading" style={{ padding: "var(--gap-4)" }}>
      {Array.from({ length: rows }, (_, at) => (
        <Skeleton key={at} height={14} width={`${92 - ((at * 17) % 40)}%`} />
      ))}
    </div>
  );
}

/** Nothing is there; says how something would come to be. */
export function Empty({ what, children }: { what: string; children?: ReactNode }) {
  return (
    <div className="state">
      <strong>{what}</strong>
      {children}
    </div>
  );
}

/** What, why, what to do. */
export function Failed({ error, again }: { error: Error; again?: () => void }) {
  const problem = error instanceof Problem ? error : null;
  return (
    <div className="failed" role="alert">
      <strong>{error.message}</strong>
      {problem?.why && <span>{problem.why}</span>}
      {problem?.fix && <span className="fix">{problem.fix}</span>}
      {again && (
        <span>
          <Button variant="default" onClick={again} mt={6}>
            Try again
          </Button>
        </span>
      )}
    </div>
  );
}

interface ShownProps<T> {
  of: UseQueryResult<T, Error>;
  rows?: number;
  children: (answer: T) => ReactNode;
}

/** An answer once it is there; until then that it is loading, and in its place what went wrong. */
export function Shown<T>({ of, rows, children }: ShownProps<T>) {
  if (of.data !== undefined) {
    return (
      <>
        {of.isError && <Failed error={of.error} again={() => void of.refetch()} />}
        {children(of.data)}
      </>
    );
  }
  if (of.isError) return <Failed error={of.error} again={() => void of.refetch()} />;
  return <Loading rows={rows} />;
}
