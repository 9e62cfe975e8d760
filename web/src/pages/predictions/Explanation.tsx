/** What each input added to a prediction, as bars around the middle. */

import { useState } from "react";
import { Button } from "@mantine/core";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Shown } from "../../parts/State";
import { figure } from "../../parts/words";
import "./explanation.css";

const SHOWN = 12;
const METHODS: Record<string, string> = {
  tree_shap: "exact, by TreeSHAP",
  linear_shap: "exact, of a linear model",
  permutation: "estimated, by permutations",
};

export function Explanation({ prediction }: { prediction: string }) {
  const found = useVerb("predictions.explain", { prediction_id: prediction }, { fixed: true });
  const [all, show] = useState(false);
  return (
    <Card title="What each input added" aside={found.data && `${METHODS[found.data.method] ?? found.data.method}; on ${found.data.scale === "raw" ? "the sum before the link" : "the score"}`}>
      <Shown of={found}>
        {({ base, contributions }) => {
          const most = Math.max(...contributions.map((part) => Math.abs(part.adds)), 1e-12);
          const shown = all ? contributions : contributions.slice(0, SHOWN);
          return (
            <div className="stack tight">
              {shown.map((part) => (
                <div key={part.name} className="adds">
                  <span className="adds-name" title={part.name}>
                    {part.name} <span className="dim">= {typeof part.value === "number" ? figure(part.value) : String(part.value)}</span>
                  </span>
                  <span className="adds-track">
                    <i className={part.adds >= 0 ? "up" : "down"} style={{ width: `${(Math.abs(part.adds) / most) * 50}%` }} />
                  </span>
                  <span className="adds-figure">
                    {part.adds >= 0 ? "+" : ""}
                    {figure(part.adds)}
                  </span>
                </div>
              ))}
              <div className="row">
                <span className="dim">Without any input: {figure(base)}.</span>
                {contributions.length > SHOWN && (
                  <Button variant="subtle" onClick={() => show(!all)}>
                    {all ? "Fewer" : `All ${contributions.length}`}
                  </Button>
                )}
              </div>
            </div>
          );
        }}
      </Shown>
    </Card>
  );
}
