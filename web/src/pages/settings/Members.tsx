/** Who has an account, and what they may. */

import { PasswordInput, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";

type User = Schemas["User"];

const ROLES = [
  { value: "read", label: "read: look, change nothing" },
  { value: "track", label: "track: log runs, register models" },
  { value: "write", label: "write: data, labels, endpoints, alerts" },
  { value: "admin", label: "admin: everything" },
];
const EVERY_PROJECT = "*";

export function Members() {
  const may = useMay();
  const users = useVerb("users.list", null, { enabled: may("user.read") });
  const remove = useAct("users.remove", () => "The account is gone, with its tokens.");
  if (!may("user.read")) return <Empty what="Members are for administrators.">Ask whoever administers this home.</Empty>;
  const columns: Column<User>[] = [
    { name: "name", title: "Name", value: (user) => user.name },
    { name: "roles", title: "May", value: (user) => rolesOf(user) },
    { name: "signs in", title: "Signs in by", value: (user) => (user.has_password ? "password or token" : "token") },
    { name: "since", title: "Since", value: (user) => user.created_at, cell: (user) => <Time at={user.created_at} /> },
    { name: "by", title: "Added by", value: (user) => user.created_by },
    {
      name: "acts",
      title: "",
      value: () => null,
      cell: (user) => (
        <Ask
          label="Remove"
          title={`Remove ${user.name}?`}
          permission="user.write"
          danger
          variant="subtle"
          onDo={() => remove.mutateAsync({ name: user.name })}
        >
          Within seconds nobody signs in as {user.name} any more, by password or by token. What they did stays in the log.
        </Ask>
      ),
    },
  ];
  return (
    <Card flush title="Members" aside={<AddMember />}>
      <Shown of={users}>
        {(found) =>
          found.length === 0 ? (
            <Empty what="Only you, the owner.">
              With the first account the server may listen beyond this machine, and asks everybody who they are.
            </Empty>
          ) : (
            <DataTable label="Members" rows={found} columns={columns} id={(user) => user.name} />
          )
        }
      </Shown>
    </Card>
  );
}

function rolesOf(user: User): string {
  return Object.entries(user.roles)
    .map(([project, role]) => (project === EVERY_PROJECT ? role : `${role} in ${project}`))
    .join(", ");
}

function AddMember() {
  const add = useAct("users.add", (user) => `${user.name} has an account.`);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("write");
  return (
    <Ask
      label="Add a member"
      title="Add a member"
      permission="user.write"
      confirm="Add"
      onDo={() => add.mutateAsync({ name, password, role })}
    >
      <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} required />
      <PasswordInput
        label="Password"
        description="At least 12 letters. Without one they sign in by tokens alone."
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        autoComplete="new-password"
      />
      <Select label="Role" data={ROLES} value={role} onChange={(value) => setRole(value ?? "read")} allowDeselect={false} />
    </Ask>
  );
}
