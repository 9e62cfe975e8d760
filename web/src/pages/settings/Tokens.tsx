/** The tokens of members: for programs, and one for each browser session. */

import { Alert, NumberInput, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Id, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";

type Token = Schemas["AccessToken"];

export function Tokens() {
  const may = useMay();
  const tokens = useVerb("tokens.list", null, { enabled: may("user.read") });
  const revoke = useAct("tokens.revoke", () => "The token opens nothing any more.");
  const [made, show] = useState<Schemas["NewToken"] | null>(null);
  if (!may("user.read")) return <Empty what="Tokens are for administrators.">Ask whoever administers this home.</Empty>;
  const columns: Column<Token>[] = [
    { name: "user", title: "Of", value: (token) => token.user },
    { name: "label", title: "For", value: (token) => token.label },
    { name: "created", title: "Made", value: (token) => token.created_at, cell: (token) => <Time at={token.created_at} /> },
    {
      name: "expires",
      title: "Ends",
      value: (token) => token.expires_at,
      cell: (token) => (token.expires_at ? <Time at={token.expires_at} /> : "when it is revoked"),
    },
    {
      name: "acts",
      title: "",
      value: () => null,
      cell: (token) => (
        <Ask
          label="Revoke"
          title={`Revoke the token of ${token.user}?`}
          permission="user.write"
          danger
          variant="subtle"
          onDo={() => revoke.mutateAsync({ token: token.id })}
        >
          Whatever uses it ({token.label || "without a label"}) is refused within seconds.
        </Ask>
      ),
    },
  ];
  return (
    <div className="stack">
      {made && (
        <Alert color="green" title={`The token of ${made.token.user}`} withCloseButton onClose={() => show(null)} closeButtonLabel="Close">
          It is shown this once: <Id of={made.text} />
        </Alert>
      )}
      <Card flush title="Tokens" aside={<MakeToken onMade={show} />}>
        <Shown of={tokens}>
          {(found) =>
            found.length === 0 ? (
              <Empty what="No member has a token.">Programs of the owner send the home's own: it is in api.token.</Empty>
            ) : (
              <DataTable label="Tokens" rows={found} columns={columns} id={(token) => token.id} />
            )
          }
        </Shown>
      </Card>
    </div>
  );
}

function MakeToken({ onMade }: { onMade: (token: Schemas["NewToken"]) => void }) {
  const users = useVerb("users.list", null).data ?? [];
  const make = useAct("tokens.create", (token) => `A token for ${token.token.user}.`);
  const [user, setUser] = useState<string | null>(null);
  const [label, setLabel] = useState("");
  const [days, setDays] = useState<number | string>(90);
  return (
    <Ask
      label="Make a token"
      title="Make a token"
      permission="user.write"
      confirm="Make it"
      disabled={users.length === 0}
      onDo={async () =>
        onMade(await make.mutateAsync({ user: user ?? users[0]?.name ?? "", label, days: typeof days === "number" ? days : null }))
      }
    >
      <Select label="Of" data={users.map((one) => one.name)} value={user ?? users[0]?.name ?? null} onChange={setUser} allowDeselect={false} />
      <TextInput label="For" description="What will use it" value={label} onChange={(event) => setLabel(event.currentTarget.value)} />
      <NumberInput label="Days" description="Empty: until it is revoked" value={days} onChange={setDays} min={1} max={3650} />
    </Ask>
  );
}
