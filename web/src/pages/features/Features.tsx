/** Features: which are there, how fresh, who uses them? */

import { TextInput } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { useAddress } from "../../shell/address";

type Entry = Schemas["FeatureEntry"];

export const FEATURE_COLUMNS: Column<Entry>[] = [
  { name: "feature", title: "Feature", value: (one) => one.feature, cell: (one) => <span title={one.description}>{one.feature}</span> },
  { name: "view", title: "View", value: (one) => one.view, cell: (one) => <Link to={`/features/${one.view}`}>{one.view}</Link> },
  { name: "type", title: "Type", value: (one) => one.type },
  { name: "made", title: "Made", value: (one) => one.made, cell: (one) => <span title={one.made}>{one.made}</span> },
  { name: "landed", title: "Data landed", value: (one) => one.landed_at, cell: (one) => <Time at={one.landed_at} /> },
  { name: "online", title: "Online until", value: (one) => one.online_until, cell: (one) => (one.online_until ? <Time at={one.online_until} /> : <span className="dim">not online</span>) },
  { name: "models", title: "Models", value: (one) => one.models.join(", ") },
  { name: "owner", title: "Owner", value: (one) => one.owner },
];

export function Features() {
  const [address, change] = useAddress<{ text: string }>();
  const navigate = useNavigate();
  const found = useVerb("catalogue.search", { text: address.text ?? "" });
  return (
    <Page name="Features" title="Features" about="Every feature with how it is made, how fresh it is, offline and online, and which models use it." twin={path("catalogue.search")}>
      <div className="row">
        <TextInput placeholder="Name, words of its description, owner" aria-label="Search features" data-search value={address.text ?? ""} onChange={(event) => change({ text: event.currentTarget.value })} w={300} />
      </div>
      <Card flush>
        <Shown of={found}>
          {(features) =>
            features.length === 0 ? (
              <Empty what={address.text ? "No feature fits." : "No feature view is registered yet."}>{!address.text && <code>td.feature_view(…)</code>}</Empty>
            ) : (
              <DataTable label="Features" rows={features} columns={FEATURE_COLUMNS} id={(one) => `${one.view}.${one.feature}`} onOpen={(one) => void navigate({ to: `/features/${one.view}` })} />
            )
          }
        </Shown>
      </Card>
    </Page>
  );
}
