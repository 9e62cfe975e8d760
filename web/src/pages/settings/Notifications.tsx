/** Where alerts go, and what is silent now. */

import { Select, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";

type Route = Schemas["treadle.systems.monitor.routes.Route"];
type Silence = Schemas["Silence"];

const KINDS = [
  { value: "webhook", label: "Webhook (signed JSON)" },
  { value: "slack", label: "Slack, or what takes its JSON" },
  { value: "email", label: "E-mail" },
];

const SILENCES: Column<Silence>[] = [
  {
    name: "endpoint",
    title: "Endpoint",
    value: (one) => one.endpoint,
    cell: (one) => <Link to={`/endpoints/${one.endpoint}`}>{one.endpoint}</Link>,
  },
  { name: "column", title: "Column", value: (one) => one.column ?? "every one" },
  { name: "until", title: "Until", value: (one) => one.until, cell: (one) => <Time at={one.until} /> },
  { name: "actor", title: "By", value: (one) => one.actor },
  { name: "reason", title: "Why", value: (one) => one.reason },
];

export function Notifications() {
  const routes = useVerb("alerts.routes", null);
  const silences = useVerb("alerts.silences", null);
  const unroute = useAct("alerts.unroute", (route) => `${route.name} is told no more.`);
  const columns: Column<Route>[] = [
    { name: "name", title: "Name", value: (route) => route.name },
    { name: "kind", title: "By", value: (route) => route.kind },
    { name: "target", title: "To", value: (route) => route.target },
    { name: "endpoint", title: "Of", value: (route) => route.endpoint ?? "every endpoint" },
    {
      name: "acts",
      title: "",
      value: () => null,
      cell: (route) => (
        <Ask
          label="Take away"
          title={`Take ${route.name} away?`}
          permission="alert.route"
          danger
          variant="subtle"
          onDo={() => unroute.mutateAsync({ route: route.name })}
        >
          What is still on its way to {route.target} is not delivered.
        </Ask>
      ),
    },
  ];
  return (
    <div className="stack">
      <Card flush title="Who is told of alerts" aside={<AddRoute />}>
        <Shown of={routes}>
          {(found) =>
            found.length === 0 ? (
              <Empty what="Nobody is told.">Alerts stand in the log of treadle up, and on the monitoring page.</Empty>
            ) : (
              <DataTable label="Routes" rows={found} columns={columns} id={(route) => route.name} />
            )
          }
        </Shown>
      </Card>
      <Card flush title="Silent now">
        <Shown of={silences}>
          {(found) =>
            found.length === 0 ? (
              <Empty what="Nothing is silenced." />
            ) : (
              <DataTable label="Silences" rows={found} columns={SILENCES} id={(one) => one.id} />
            )
          }
        </Shown>
      </Card>
    </div>
  );
}

function AddRoute() {
  const route = useAct("alerts.route", (made) => `${made.name} is told from now on.`);
  const endpoints = useVerb("endpoints.list", null).data ?? [];
  const [name, setName] = useState("");
  const [kind, setKind] = useState("webhook");
  const [target, setTarget] = useState("");
  const [endpoint, setEndpoint] = useState<string | null>(null);
  const [runbook, setRunbook] = useState("");
  const [secret, setSecret] = useState("");
  return (
    <Ask
      label="Tell somebody"
      title="Tell somebody of alerts"
      permission="alert.route"
      confirm="Tell them"
      onDo={() =>
        route.mutateAsync({ name, kind: kind as Route["kind"], target, endpoint, runbook, secret: secret === "" ? null : secret })
      }
    >
      <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} required />
      <Select label="By" data={KINDS} value={kind} onChange={(value) => setKind(value ?? "webhook")} allowDeselect={false} />
      <TextInput
        label="To"
        description={kind === "email" ? "An address; SMTP is in the settings" : "An https address"}
        value={target}
        onChange={(event) => setTarget(event.currentTarget.value)}
        required
      />
      <Select label="Of" placeholder="Every endpoint" data={endpoints.map((one) => one.name)} value={endpoint} onChange={setEndpoint} clearable />
      <TextInput label="Runbook" description="What to do, or a link to it; goes along" value={runbook} onChange={(event) => setRunbook(event.currentTarget.value)} />
      {kind === "webhook" && (
        <TextInput label="Secret" description="Signs each message (HMAC)" value={secret} onChange={(event) => setSecret(event.currentTarget.value)} />
      )}
    </Ask>
  );
}
