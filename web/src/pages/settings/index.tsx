/** Settings: who may come in, who is told, is the store sound? */

import { Tabs } from "@mantine/core";
import { useSession } from "../../api/session";
import { Card, Page } from "../../parts/Page";
import { Facts } from "../../parts/Small";
import { useAddress } from "../../shell/address";
import { Members } from "./Members";
import { Notifications } from "./Notifications";
import { Storage } from "./Storage";
import { Tokens } from "./Tokens";

const TABS = [
  ["members", "Members"],
  ["tokens", "Tokens"],
  ["notifications", "Notifications"],
  ["storage", "Storage"],
] as const;

export function Settings() {
  const [address, change] = useAddress<{ tab: string }>();
  const session = useSession().data;
  return (
    <Page name="Settings" title="Settings" about="Who may come in, who is told of what, and whether the store is sound.">
      <Card>
        <Facts
          of={[
            ["You", session?.is_owner ? `${session.actor}, the owner of this home` : session?.actor],
            ["Project", session?.project],
            ["Treadle", session?.version],
          ]}
        />
      </Card>
      <Tabs value={address.tab ?? "members"} onChange={(tab) => change({ tab: tab === "members" ? undefined : (tab ?? undefined) })} keepMounted={false}>
        <Tabs.List mb="md">
          {TABS.map(([name, label]) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="members">
          <Members />
        </Tabs.Panel>
        <Tabs.Panel value="tokens">
          <Tokens />
        </Tabs.Panel>
        <Tabs.Panel value="notifications">
          <Notifications />
        </Tabs.Panel>
        <Tabs.Panel value="storage">
          <Storage />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
