/** The present, kept up each second while something works. */

import { useEffect, useState } from "react";

export function useNow(isAtWork: boolean): number {
  const [now, turn] = useState(() => Date.now());
  useEffect(() => {
    turn(Date.now());
    if (!isAtWork) return;
    const timer = setInterval(() => turn(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isAtWork]);
  return now;
}
