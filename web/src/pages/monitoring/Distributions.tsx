/** A column of a window beside its reference: the share of rows in each of the same bins. */

import { useComputedColorScheme } from "@mantine/core";
import { Suspense, lazy, useMemo } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Empty, Loading, Shown } from "../../parts/State";
import { plural } from "../../parts/words";

const Bars = lazy(() => import("./DistributionBars"));

export function Distributions({ monitor, window, column }: { monitor: string; window: Schemas["MonitorWindow"]; column: string }) {
  const scheme = useComputedColorScheme("light");
  const found = useVerb("monitors.distributions", {
    name: monitor,
    starts_at: window.starts_at,
    model_version: window.model_version,
    columns: [column],
  });
  const shown = useMemo(() => found.data?.columns[0], [found.data]);
  return (
    <Card title={column} aside={found.data && `${plural(found.data.reference_rows, "row")} learned from, ${plural(found.data.rows, "row")} now`}>
      <Shown of={found}>
        {() =>
          shown === undefined ? (
            <Empty what="Its bins are gone.">The reference was taken anew since this window was judged.</Empty>
          ) : (
            <Suspense fallback={<Loading />}>
              <Bars key={scheme} of={shown} />
            </Suspense>
          )
        }
      </Shown>
    </Card>
  );
}
