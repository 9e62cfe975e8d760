/** The lines of a log, put together from chunks that may end anywhere, without the codes that are for terminals. */

import type { Schemas } from "../../api/client";

export interface Line {
  step: string;
  isError: boolean;
  text: string;
  at: string;
}

// Colours, cursor moves, titles and links (ECMA-48), and what else is no text.
const CODES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]/g;
const NO_TEXT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

export class LogBook {
  readonly lines: Line[] = [];
  /** By step and stream, the line that has not ended yet, as it was written. */
  private readonly open = new Map<string, { line: Line; written: string }>();

  add(chunk: Schemas["LogChunk"]): void {
    const key = `${chunk.run} ${chunk.stream}`;
    const parts = chunk.content.split("\n");
    parts.forEach((part, at) => {
      const isLast = at === parts.length - 1;
      const begun = this.open.get(key);
      if (isLast && part === "" && begun === undefined) return;
      const written = (begun?.written ?? "") + part;
      const line = begun?.line ?? { step: stepOf(chunk.path), isError: chunk.stream === "stderr", text: "", at: chunk.recorded_at };
      line.text = shown(written);
      if (begun === undefined) this.lines.push(line);
      if (isLast) this.open.set(key, { line, written });
      else this.open.delete(key);
    });
  }
}

/** What stands on a line at last: a progress bar writes it again and again after a carriage return. */
export function shown(written: string): string {
  const text = written.replace(CODES, "").replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1).replace(NO_TEXT, "");
}

function stepOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(slash + 1);
}
