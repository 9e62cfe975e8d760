/** Markdown that others wrote: no HTML of theirs gets into the page, and its links open apart. */

import ReactMarkdown from "react-markdown";
import remarkGfm from "remark-gfm";

export default function Markdown({ of }: { of: string }) {
  return (
    <div className="markdown">
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        components={{
          a: ({ href, children }) => (
            <a href={href} target="_blank" rel="noreferrer noopener">
              {children}
            </a>
          ),
          table: ({ children }) => (
            <div className="table">
              <table>{children}</table>
            </div>
          ),
          h1: ({ children }) => <h2>{children}</h2>,
        }}
      >
        {of}
      </ReactMarkdown>
    </div>
  );
}
