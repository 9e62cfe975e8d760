/** The palette: every place, and every dataset, model, endpoint, pipeline and experiment by its name; an id goes to its thing. */

import { Spotlight, spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useState } from "react";
import { useVerb } from "../api/hooks";
import { addressOf } from "./things";
import { ALL_PLACES } from "./places";

export function openPalette(): void {
  spotlight.open();
}

const MOST = 12;

export function Palette() {
  const navigate = useNavigate();
  const [text, write] = useState("");
  const asks = { enabled: text.length > 0 };
  const datasets = useVerb("datasets.list", null, asks).data ?? [];
  const models = useVerb("models.list", null, asks).data ?? [];
  const endpoints = useVerb("endpoints.list", null, asks).data ?? [];

  const go = (to: string): (() => void) => () => void navigate({ to });
  const named = (kind: string, name: string): SpotlightActionData => ({
    id: `${kind}/${name}`,
    label: name,
    description: kind,
    onClick: go(addressOf(`${kind}/${name}`) ?? "/"),
  });
  const places: SpotlightActionData[] = ALL_PLACES.map(({ to, label, answers, icon: Icon, key }) => ({
    id: to,
    label,
    description: answers,
    leftSection: <Icon size={18} aria-hidden />,
    rightSection: <span className="dim id">g {key}</span>,
    onClick: go(to),
  }));
  const things = [
    ...datasets.map((one) => named("dataset", one.name)),
    ...models.map((one) => named("model", one.name)),
    ...endpoints.map((one) => named("endpoint", one.name)),
  ];
  const direct = addressOf(text.trim());
  const actions: SpotlightActionData[] = [
    ...(direct ? [{ id: "direct", label: `Open ${text.trim()}`, description: "by its id", onClick: go(direct), keywords: text }] : []),
    ...places,
    ...(text ? things : []),
  ];
  return (
    <Spotlight
      actions={actions}
      query={text}
      onQueryChange={write}
      limit={MOST}
      highlightQuery
      nothingFound="Nothing of that name"
      shortcut={["mod + K"]}
      searchProps={{ leftSection: <Search size={18} />, placeholder: "A place, a name, an id…", "aria-label": "Search" }}
    />
  );
}
