/** Puts a version behind an endpoint: as the one that answers, as a canary by steps, or as a shadow that is only compared. */

import { NumberInput, SegmentedControl, Select } from "@mantine/core";
import { useState } from "react";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";

function useVersions(): { data: string[]; value: string | null; choose: (value: string | null) => void; model: string; version: string } {
  const models = useVerb("models.list", null).data ?? [];
  const data = models.flatMap((model) => Array.from({ length: model.newest }, (_, at) => `${model.name} v${model.newest - at}`));
  const [value, choose] = useState<string | null>(null);
  const at = value?.lastIndexOf(" v") ?? -1;
  return { data, value, choose, model: value?.slice(0, at) ?? "", version: value?.slice(at + 2) ?? "" };
}

export function Deploy({ endpoint }: { endpoint: string }) {
  const versions = useVersions();
  const [way, choose] = useState("deploy");
  const deploy = useAct("endpoints.deploy", (now) => `Route ${now.route.number} is in force.`);
  const canary = useAct("canaries.start", () => "The canary is at its first step.");
  const { model, version } = versions;
  return (
    <Ask
      label="Deploy"
      title={`Deploy a version at ${endpoint}`}
      permission="endpoint.write"
      reason
      disabled={versions.data.length === 0}
      onDo={(reason) =>
        way === "deploy" ? deploy.mutateAsync({ endpoint, model, version, reason }) : canary.mutateAsync({ endpoint, model, version, reason })
      }
    >
      <Select label="Version" data={versions.data} value={versions.value} onChange={versions.choose} searchable required />
      <SegmentedControl
        data={[
          { value: "deploy", label: "At once" },
          { value: "canary", label: "As a canary" },
        ]}
        value={way}
        onChange={choose}
        aria-label="How"
      />
      <span className="dim">
        {way === "deploy"
          ? "It answers every new request within a second."
          : "It answers 5%, then 25%, then 50% of them, and goes on or back by itself as it compares."}
      </span>
    </Ask>
  );
}

export function Shadow({ endpoint }: { endpoint: string }) {
  const versions = useVersions();
  const [share, set] = useState<number | string>(100);
  const shadow = useAct("endpoints.shadow", () => "Its answers are logged beside those that count.");
  const { model, version } = versions;
  return (
    <Ask
      label="Shadow"
      title={`A shadow beside ${endpoint}`}
      permission="endpoint.write"
      reason
      disabled={versions.data.length === 0}
      onDo={(reason) => shadow.mutateAsync({ endpoint, model, version, share: Number(share) / 100, reason })}
    >
      <Select label="Version" data={versions.data} value={versions.value} onChange={versions.choose} searchable required />
      <NumberInput label="Of so many requests, in percent" description="0 takes the shadow away" value={share} onChange={set} min={0} max={100} />
      <span className="dim">It is asked too, and its answers are compared; whoever asked gets what they got before.</span>
    </Ask>
  );
}
