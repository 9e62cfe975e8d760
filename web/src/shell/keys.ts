/** Keys: `g` and a letter goes somewhere, `/` searches what is shown, `?` helps. Never while one types. */

import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { ALL_PLACES } from "./places";

const WAIT_MS = 1200;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

export function useKeys(help: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let begun = 0;
    function press(event: KeyboardEvent) {
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "?") return help();
      if (event.key === "/") {
        const search = document.querySelector<HTMLElement>("[data-search]");
        if (search) {
          search.focus();
          event.preventDefault();
        }
        return;
      }
      if (Date.now() - begun < WAIT_MS) {
        begun = 0;
        const place = ALL_PLACES.find((one) => one.key === event.key);
        if (place) {
          event.preventDefault();
          void navigate({ to: place.to });
        }
        return;
      }
      if (event.key === "g") begun = Date.now();
    }
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [navigate, help]);
}
