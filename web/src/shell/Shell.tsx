/** The frame around every page: navigation, search, whether what is shown is live, who looks. */

import { ActionIcon, Menu, Modal, Table, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { CircleHelp, LogOut, Menu as Burger, Moon, Search, Sun, User } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { queries } from "../api/hooks";
import { listen, useLive } from "../api/live";
import { signOut, useSession } from "../api/session";
import { Failed, Loading } from "../parts/State";
import { moment } from "../parts/words";
import { Problem } from "../api/client";
import { useKeys } from "./keys";
import { Palette, openPalette } from "./Palette";
import { ALL_PLACES, PLACES } from "./places";
import { SignIn } from "./SignIn";

export function Shell() {
  const session = useSession();
  if (session.isPending) return <Loading rows={8} />;
  if (session.isError) {
    const isUnknown = session.error instanceof Problem && session.error.status === 401;
    if (isUnknown) return <SignIn />;
    return (
      <div className="page">
        <Failed error={session.error} again={() => void session.refetch()} />
      </div>
    );
  }
  return <Inside />;
}

function Inside() {
  const [help, helping] = useDisclosure(false);
  const [isOpen, open] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useKeys(useCallback(() => helping.open(), [helping]));
  useEffect(listen, []);
  useEffect(() => open(false), [path]);
  return (
    <div className="shell" data-open={isOpen || undefined}>
      <a className="skip" href="#content">
        To the content
      </a>
      <Navigation />
      <button type="button" className="shell-veil" aria-label="Close the navigation" onClick={() => open(false)} />
      <header className="shell-bar">
        <ActionIcon className="shell-burger" variant="subtle" color="gray" onClick={() => open(true)} aria-label="Open the navigation">
          <Burger size={18} />
        </ActionIcon>
        <button type="button" className="shell-find" onClick={openPalette}>
          <Search size={15} aria-hidden />
          <span>Search, go, do…</span>
          <kbd>{navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <span style={{ marginLeft: "auto" }} />
        <LiveMark />
        <Tooltip label="Keys (?)">
          <ActionIcon variant="subtle" color="gray" onClick={helping.open} aria-label="Help on keys">
            <CircleHelp size={17} />
          </ActionIcon>
        </Tooltip>
        <SchemeSwitch />
        <Who />
      </header>
      <div className="shell-page">
        <Outlet />
      </div>
      <Palette />
      <Keys opened={help} close={helping.close} />
    </div>
  );
}

function Navigation() {
  return (
    <nav className="shell-nav" aria-label="Main">
      <Link to="/" className="shell-mark">
        <img src="/mark.svg" alt="" width={26} height={26} />
        Treadle
      </Link>
      {PLACES.map((group, at) => (
        <div key={at}>
          {group.group && <h2>{group.group}</h2>}
          {group.places.map(({ to, label, icon: Icon }) => (
            <Link key={to} to={to} className="place" activeOptions={{ exact: to === "/" }}>
              <Icon size={16} aria-hidden />
              {label}
            </Link>
          ))}
        </div>
      ))}
    </nav>
  );
}

function LiveMark() {
  const live = useLive();
  return live.connected ? (
    <Tooltip label="What is shown follows what happens">
      <span className="live" role="status">
        <span>live</span>
      </span>
    </Tooltip>
  ) : (
    <Tooltip label={`Since ${moment(live.since)} nothing was heard of the server: what is shown may be old`}>
      <span className="live lost" role="status">
        not connected
      </span>
    </Tooltip>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <Tooltip label={`Show it ${other}`}>
      <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(other)} aria-label={`Show it ${other}`}>
        {scheme === "dark" ? <Sun size={17} /> : <Moon size={17} />}
      </ActionIcon>
    </Tooltip>
  );
}

function Who() {
  const session = useSession().data;
  if (!session) return null;
  return (
    <Menu position="bottom-end" withArrow>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`${session.actor} in ${session.project}`}>
          <User size={17} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.actor}
          <br />
          project {session.project}
          <br />
          Treadle {session.version}
        </Menu.Label>
        <Menu.Item
          leftSection={<LogOut size={14} />}
          onClick={() => void signOut().then(() => queries.resetQueries())}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Keys({ opened, close }: { opened: boolean; close: () => void }) {
  const rows: [string, string][] = [
    ["Ctrl K", "search, go, do"],
    ["/", "to the filter of this page"],
    ["↑ ↓ Enter", "in a table: from row to row, open one"],
    ...ALL_PLACES.map((place): [string, string] => [`g ${place.key}`, `go to ${place.label}`]),
    ["?", "this page"],
  ];
  return (
    <Modal opened={opened} onClose={close} title="Keys" closeButtonProps={{ "aria-label": "Close" }}>
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {rows.map(([keys, does]) => (
            <Table.Tr key={keys}>
              <Table.Td className="id">{keys}</Table.Td>
              <Table.Td>{does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
