/** The graph, laid out in layers from left to right; the way to the chosen thing stands out. */

import "@xyflow/react/dist/style.css";

import dagre from "@dagrejs/dagre";
import { useComputedColorScheme } from "@mantine/core";
import { Background, Controls, Handle, MiniMap, Position, ReactFlow, type Edge, type Node, type NodeProps, type ReactFlowInstance } from "@xyflow/react";
import { createContext, useContext, useEffect, useMemo, useRef } from "react";
import { said, wayTo, type Graph, type GraphNode } from "./growing";

const WIDTH = 200;
const HEIGHT = 46;

const COLOURS: Record<string, string> = {
  prediction: "--series-1", revision: "--series-1", endpoint: "--series-1", "model version": "--series-4", run: "--series-3",
  snapshot: "--series-2", landing: "--series-2", row: "--series-2", dataset: "--series-2", artifact: "--series-6", code: "--series-8",
  environment: "--series-8", event: "--series-5", alert: "--series-7",
};

interface GraphViewProps {
  graph: Graph;
  selected: string | undefined;
  text: string;
  onSelect: (key: string | undefined) => void;
  onOpen: (key: string) => void;
}

type Looks = GraphNode & { look: "" | "on-way" | "off-way" } & Record<string, unknown>;

const Opening = createContext<(key: string) => void>(() => undefined);

export default function GraphView({ graph, selected, text, onSelect, onOpen }: GraphViewProps) {
  const scheme = useComputedColorScheme("light");
  const places = useMemo(() => laidOut(graph), [graph]);
  const lit = useMemo(() => {
    const words = text.toLowerCase().trim();
    if (words) return new Set(graph.nodes.filter((node) => said(node.thing).includes(words)).map((node) => node.key));
    return selected ? wayTo(graph, selected) : null;
  }, [graph, selected, text]);
  const nodes = useMemo<Node<Looks>[]>(
    () =>
      graph.nodes.map((node) => ({
        id: node.key,
        type: "thing",
        position: places.get(node.key)!,
        data: { ...node, look: lit === null ? "" : lit.has(node.key) ? "on-way" : "off-way" },
      })),
    [graph, lit, places],
  );
  const edges = useMemo<Edge[]>(
    () =>
      graph.edges.map((edge) => ({
        id: `${edge.from}→${edge.to}`,
        source: edge.from,
        target: edge.to,
        style: { stroke: lit?.has(edge.from) && lit.has(edge.to) ? "var(--blue)" : "var(--line-strong)", strokeWidth: lit?.has(edge.to) && lit.has(edge.from) ? 2 : 1 },
      })),
    [graph, lit],
  );
  const flow = useRef<ReactFlowInstance<Node<Looks>, Edge> | null>(null);
  useEffect(() => {
    if (text.trim() && lit?.size) void flow.current?.fitView({ nodes: [...lit].map((id) => ({ id })), maxZoom: 1, minZoom: 0.35 });
  }, [text, lit]);
  return (
    <Opening.Provider value={onOpen}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        onInit={(made) => {
          flow.current = made;
        }}
        colorMode={scheme}
        fitView
        fitViewOptions={{ maxZoom: 1, minZoom: 0.35 }}
        minZoom={0.05}
        nodesDraggable={false}
        nodesConnectable={false}
        onlyRenderVisibleElements
        onNodeClick={(_, node) => onSelect(node.id === selected ? undefined : node.id)}
        onPaneClick={() => onSelect(undefined)}
        proOptions={{ hideAttribution: true }}
        aria-label="Lineage graph"
      >
        <Background gap={24} />
        <Controls showInteractive={false} />
        {graph.nodes.length > 25 && <MiniMap pannable zoomable nodeColor="var(--line-strong)" bgColor="var(--sunken)" ariaLabel="Overview of the graph" />}
      </ReactFlow>
    </Opening.Provider>
  );
}

function ThingNode({ data }: NodeProps<Node<Looks>>) {
  const open = useContext(Opening);
  return (
    <div className={`thing ${data.look}`} style={{ ["--thing" as string]: `var(${COLOURS[data.thing.kind] ?? "--series-8"})` }}>
      <Handle type="target" position={Position.Left} style={{ opacity: 0 }} />
      <span className="thing-kind">
        {data.thing.relation || data.thing.kind}
        {data.folded > 0 && (
          <button
            type="button"
            className="thing-folded"
            aria-label={`Open ${data.folded} more below ${data.thing.title}`}
            onClick={(event) => {
              event.stopPropagation();
              open(data.key);
            }}
          >
            +{data.folded}
          </button>
        )}
      </span>
      <span className="thing-title" title={data.thing.title}>
        {data.thing.title}
      </span>
      <Handle type="source" position={Position.Right} style={{ opacity: 0 }} />
    </div>
  );
}

const TYPES = { thing: ThingNode };

function laidOut(graph: Graph): Map<string, { x: number; y: number }> {
  const layers = new dagre.graphlib.Graph();
  layers.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 60 });
  layers.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) layers.setNode(node.key, { width: WIDTH, height: HEIGHT });
  for (const edge of graph.edges) layers.setEdge(edge.from, edge.to);
  dagre.layout(layers);
  return new Map(
    graph.nodes.map((node) => {
      const at = layers.node(node.key);
      return [node.key, { x: at.x - WIDTH / 2, y: at.y - HEIGHT / 2 }];
    }),
  );
}
