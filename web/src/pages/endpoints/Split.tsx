/** Who answers what share: drawn, and set by sliders that always come to a whole. */

import { Button, Slider, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { useAct } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Card } from "../../parts/Page";
import { Empty, Failed } from "../../parts/State";
import { percent } from "../../parts/words";
import { rebalanced } from "./splitting";
import "./split.css";

export function Split({ sheet }: { sheet: Schemas["EndpointSheet"] }) {
  const { endpoint, revisions } = sheet;
  const may = useMay();
  const [chosen, choose] = useState<Record<string, number> | null>(null);
  const [reason, say] = useState("");
  const split = useAct("endpoints.split", () => "The traffic is split anew.");
  const weights = chosen ?? endpoint.route.weights;
  const offered = revisions.filter((one) => chosen !== null || (weights[String(one.number)] ?? 0) > 0);
  const word = (number: number | string) => {
    const revision = revisions.find((one) => String(one.number) === String(number));
    return revision ? `${revision.model} v${revision.model_version}` : `revision ${number}`;
  };

  async function apply() {
    const kept = Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0));
    await split.mutateAsync({ endpoint: endpoint.name, weights: kept, reason });
    choose(null);
    say("");
  }

  return (
    <Card
      title="Traffic"
      aside={
        may("endpoint.write") && revisions.length > 1 && chosen === null ? (
          <Button variant="default" onClick={() => choose(endpoint.route.weights)}>
            Split it
          </Button>
        ) : undefined
      }
    >
      <div className="stack">
        {endpoint.route.is_drained && chosen === null && <Empty what="Drained: nothing is answered." />}
        <div className="split" role="img" aria-label={Object.entries(weights).map(([number, weight]) => `${word(number)} ${percent(weight, 0)}`).join(", ")}>
          {Object.entries(weights)
            .filter(([, weight]) => weight > 0)
            .map(([number, weight], place) => (
              <span key={number} style={{ width: `${weight * 100}%`, background: `var(--series-${(place % 8) + 1})` }} />
            ))}
        </div>
        {offered.map((revision) => {
          const number = String(revision.number);
          const weight = weights[number] ?? 0;
          return (
            <div key={number} className="split-row">
              <span>{word(number)}</span>
              {chosen === null ? (
                <span />
              ) : (
                <Slider
                  value={Math.round(weight * 100)}
                  onChange={(value) => choose(rebalanced(weights, number, value / 100))}
                  label={null}
                  thumbLabel={`Share of ${word(number)}`}
                />
              )}
              <b>{percent(weight, 0)}</b>
            </div>
          );
        })}
        {Object.entries(endpoint.route.shadows).map(([number, share]) => (
          <span key={number} className="dim">
            {word(number)} as a shadow of {percent(share, 0)}
          </span>
        ))}
        {chosen !== null && (
          <>
            <TextInput label="Why (optional)" description="Stands in the audit log." value={reason} onChange={(event) => say(event.currentTarget.value)} />
            {split.isError && <Failed error={split.error} />}
            <div className="row">
              <Button onClick={() => void apply()} loading={split.isPending}>
                Put in force
              </Button>
              <Button variant="subtle" color="gray" onClick={() => choose(null)}>
                Leave it
              </Button>
            </div>
          </>
        )}
      </div>
    </Card>
  );
}
