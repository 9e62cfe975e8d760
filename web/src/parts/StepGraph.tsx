/** Steps and what each is given, laid out in layers from left to right. Loaded late: its libraries are heavy. */

import dagre from "@dagrejs/dagre";
import { useComputedColorScheme } from "@mantine/core";
import { Background, Controls, Handle, Position, ReactFlow, type Edge, type Node, type NodeProps, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useMemo } from "react";
import { grouped, type GraphNode, type GraphStep } from "./grouping";
import "./step-graph.css";

const WIDTH = 190;
const HEIGHT = 46;
const READABLE = 0.6;
const TYPES = { step: StepNode };

type StepData = { node: GraphNode; isSelected: boolean };

interface StepGraphProps {
  steps: readonly GraphStep[];
  /** What the graph shows, for those who do not see it. */
  label: string;
  height?: number;
  selected?: string | undefined;
  /** Of a node that stands for many, the first of its steps. */
  onPick?: (step: string) => void;
}

export default function StepGraph({ steps, label, height = 420, selected, onPick }: StepGraphProps) {
  const scheme = useComputedColorScheme("light");
  const graph = useMemo(() => grouped(steps), [steps]);
  const shape = useMemo(() => graph.nodes.map((node) => node.id).join() + graph.edges.map((edge) => edge.from + edge.to).join(), [graph]);
  // States change while a run works, places do not: the layout is made anew only for another shape.
  const places = useMemo(() => laidOut(graph.nodes, graph.edges), [shape]); // eslint-disable-line react-hooks/exhaustive-deps
  const nodes = graph.nodes.map<Node<StepData>>((node) => ({
    id: node.id,
    type: "step",
    position: places.get(node.id) ?? { x: 0, y: 0 },
    data: { node, isSelected: selected !== undefined && node.steps.includes(selected) },
    ariaLabel: `${node.name}: ${node.says}`,
    width: WIDTH,
    height: HEIGHT,
  }));
  const running = new Set(graph.nodes.filter((node) => node.look === "works").map((node) => node.id));
  const edges = graph.edges.map<Edge>(({ from, to }) => ({ id: `${from} ${to}`, source: from, target: to, animated: running.has(to) }));
  return (
    <div style={{ height }} role="group" aria-label={label} className="step-graph">
      <ReactFlow
        key={shape}
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        colorMode={scheme}
        onInit={(flow) => void shownFrom(flow, height)}
        minZoom={0.05}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        zoomOnScroll={false}
        preventScrolling={false}
        onNodeClick={(_, node) => onPick?.((node.data as StepData).node.steps[0]!)}
      >
        <Background gap={20} />
        <Controls showInteractive={false} position="top-right" />
      </ReactFlow>
    </div>
  );
}

/** All of it where that can be read; else its beginning, to be moved along. */
async function shownFrom(flow: ReactFlowInstance<Node<StepData>>, height: number): Promise<void> {
  await flow.fitView({ maxZoom: 1, padding: 0.08 });
  if (flow.getZoom() >= READABLE) return;
  const bounds = flow.getNodesBounds(flow.getNodes());
  const y = Math.max(16, (height - bounds.height * READABLE) / 2);
  await flow.setViewport({ x: 16, y, zoom: READABLE });
}

function StepNode({ data }: NodeProps<Node<StepData>>) {
  const { node, isSelected } = data;
  return (
    <div className={`step-node ${node.look}`} aria-current={isSelected || undefined} title={`${node.name}: ${node.says}`}>
      <Handle type="target" position={Position.Left} />
      <b>{node.name}</b>
      <span>{node.says}</span>
      <Handle type="source" position={Position.Right} />
    </div>
  );
}

function laidOut(nodes: readonly GraphNode[], edges: readonly { from: string; to: string }[]): Map<string, { x: number; y: number }> {
  const layers = new dagre.graphlib.Graph();
  layers.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 44 });
  layers.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) layers.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const { from, to } of edges) layers.setEdge(from, to);
  dagre.layout(layers);
  return new Map(
    nodes.map((node) => {
      const { x, y } = layers.node(node.id) as { x: number; y: number };
      return [node.id, { x: x - WIDTH / 2, y: y - HEIGHT / 2 }];
    }),
  );
}
