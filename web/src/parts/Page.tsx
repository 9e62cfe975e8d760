/** The frame of every page: where one is, what it is called, what can be done there. */

import { ActionIcon, Tooltip } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Braces } from "lucide-react";
import { useEffect, type ReactNode } from "react";

interface PageProps {
  title: ReactNode;
  /** What the browser's tab says. */
  name: string;
  about?: ReactNode;
  crumbs?: { to: string; label: string }[];
  actions?: ReactNode;
  /** The address of the JSON that the page draws: `/api/v1/…`. */
  twin?: string;
  children: ReactNode;
}

export function Page({ title, name, about, crumbs, actions, twin, children }: PageProps) {
  useEffect(() => {
    document.title = `${name} · Treadle`;
  }, [name]);
  return (
    <main className="page" id="content" tabIndex={-1}>
      <header className="page-head">
        <div>
          {crumbs && (
            <nav className="crumbs" aria-label="Where you are">
              {crumbs.map((crumb) => (
                <span key={crumb.to}>
                  <Link to={crumb.to}>{crumb.label}</Link> /
                </span>
              ))}
            </nav>
          )}
          <h1>{title}</h1>
          {about && <p>{about}</p>}
        </div>
        <div className="page-actions">
          {actions}
          {twin && (
            <Tooltip label="The same as JSON">
              <ActionIcon component="a" href={twin} target="_blank" variant="subtle" color="gray" aria-label="The same as JSON">
                <Braces size={16} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
      </header>
      {children}
    </main>
  );
}

interface CardProps {
  title?: ReactNode;
  aside?: ReactNode;
  /** Without padding, for tables and charts. */
  flush?: boolean;
  children: ReactNode;
}

export function Card({ title, aside, flush, children }: CardProps) {
  return (
    <section className={flush ? "card flush" : "card"}>
      {title !== undefined && (
        <h2>
          <span>{title}</span>
          {aside !== undefined && <span className="aside">{aside}</span>}
        </h2>
      )}
      {children}
    </section>
  );
}
