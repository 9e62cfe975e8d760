/** What is shown where there is no page, or where one broke. */

import { Link, useRouterState } from "@tanstack/react-router";
import { Page } from "../parts/Page";
import { Empty, Failed } from "../parts/State";

export function NoSuchPage() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <Page title="There is no such page" name="Not found">
      <Empty what={`Nothing stands at ${path}.`}>
        <Link to="/">To the loop</Link>
      </Empty>
    </Page>
  );
}

export function PageFailed({ error }: { error: unknown }) {
  return (
    <Page title="This page broke" name="Error">
      <Failed error={error instanceof Error ? error : new Error(String(error))} again={() => window.location.reload()} />
    </Page>
  );
}
