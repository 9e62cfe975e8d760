/** The files that a run left, shown in place where they can be: pictures, tables, text, and HTML that may run nothing. */

import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { File, Folder } from "lucide-react";
import { send } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Empty, Shown } from "../../parts/State";
import { bytes } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { kindOf, rowsOf } from "./showing";
import type { Tracked } from "./tracked";

const SHOWN_BYTES = 2_000_000;

export function Files({ run }: { run: Tracked }) {
  const [address, change] = useAddress<{ folder: string; file: string }>();
  const top = run.artifact_uri.replace(/^mlflow-artifacts:\//, "");
  const folder = address.folder ?? "";
  const found = useVerb("files.list", { path: folder ? `${top}/${folder}` : top });
  const below = (path: string) => path.slice(path.indexOf(top) === 0 ? top.length + 1 : 0);
  return (
    <div className={address.file ? "grid two" : "stack"} style={address.file ? { gridTemplateColumns: "minmax(220px, 1fr) minmax(0, 2fr)" } : undefined}>
      <Card
        title={folder || "Files"}
        aside={
          folder && (
            <Button variant="subtle" onClick={() => change({ folder: folder.split("/").slice(0, -1).join("/") || undefined, file: undefined })}>
              Up
            </Button>
          )
        }
      >
        <Shown of={found}>
          {(entries) =>
            entries.length === 0 ? (
              <Empty what="It left no file." />
            ) : (
              <ul className="plain">
                {entries.map((entry) => {
                  const name = entry.path.split("/").at(-1)!;
                  return (
                    <li key={entry.path}>
                      <Button
                        variant={address.file && below(entry.path) === address.file ? "light" : "subtle"}
                        color="gray"
                        leftSection={entry.is_dir ? <Folder size={14} /> : <File size={14} />}
                        onClick={() => (entry.is_dir ? change({ folder: [folder, name].filter(Boolean).join("/"), file: undefined }, true) : change({ file: [folder, name].filter(Boolean).join("/") }))}
                      >
                        {name} {entry.is_dir ? "" : bytes(entry.size_bytes)}
                      </Button>
                    </li>
                  );
                })}
              </ul>
            )
          }
        </Shown>
      </Card>
      {address.file && <Preview run={run.run} file={address.file} />}
    </div>
  );
}

function Preview({ run, file }: { run: string; file: string }) {
  const address = `/get-artifact?${new URLSearchParams({ run_uuid: run, path: file }).toString()}`;
  const kind = kindOf(file);
  return (
    <Card
      title={file}
      aside={
        <a href={address} download>
          Download
        </a>
      }
    >
      {kind === "picture" ? (
        <img src={address} alt={file} style={{ maxWidth: "100%" }} />
      ) : kind === "other" ? (
        <Empty what="It is not shown here.">Download it to look at it.</Empty>
      ) : (
        <Text address={address} kind={kind} file={file} />
      )}
    </Card>
  );
}

function Text({ address, kind, file }: { address: string; kind: string; file: string }) {
  const found = useQuery<string, Error>({
    queryKey: ["file", address],
    queryFn: async ({ signal }) => (await (await send(address, { signal })).text()).slice(0, SHOWN_BYTES),
    staleTime: Infinity,
    meta: { fixed: true },
  });
  return (
    <Shown of={found}>
      {(text) =>
        kind === "page" ? (
          // Nothing of it may run, and it belongs to no origin: whoever logged it is not trusted with the session.
          <iframe sandbox="" srcDoc={text} title={file} style={{ width: "100%", height: "65vh", border: "1px solid var(--line)", background: "white" }} />
        ) : kind === "table" ? (
          <TableText text={text} tab={file.endsWith(".tsv")} />
        ) : (
          <pre className="json" tabIndex={0} aria-label={file} style={{ maxHeight: "65vh", overflow: "auto" }}>
            {text}
          </pre>
        )
      }
    </Shown>
  );
}

const MOST_ROWS = 500;

function TableText({ text, tab }: { text: string; tab: boolean }) {
  const [head, ...rows] = rowsOf(text, tab ? "\t" : ",", MOST_ROWS + 1);
  return (
    <div className="table" style={{ maxHeight: "65vh" }} tabIndex={0} role="region" aria-label="Rows of the file">
      <table>
        <thead>
          <tr>
            {head?.map((name, at) => (
              <th key={at} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.map((value, place) => (
                <td key={place}>{value}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
