/** The places of the application: what stands in the navigation, and how one goes there by keys. */

import {
  Activity, Boxes, ChartNoAxesCombined, Database, FlaskConical, GitBranch, Home, Play, Radio, Settings, Waypoints, Workflow,
} from "lucide-react";

export interface Place {
  to: string;
  label: string;
  /** Pressed after `g`. */
  key: string;
  icon: typeof Home;
  /** What the page answers; shown in the palette. */
  answers: string;
}

export const PLACES: { group: string; places: Place[] }[] = [
  { group: "", places: [{ to: "/", label: "Home", key: "h", icon: Home, answers: "Does the loop turn, and what waits for me?" }] },
  {
    group: "Data",
    places: [
      { to: "/datasets", label: "Datasets", key: "d", icon: Database, answers: "What data is there, is it good, what changed?" },
      { to: "/features", label: "Features", key: "f", icon: Boxes, answers: "Which features are there, how fresh, who uses them?" },
    ],
  },
  {
    group: "Build",
    places: [
      { to: "/pipelines", label: "Pipelines", key: "p", icon: Workflow, answers: "What would run, when, and why?" },
      { to: "/runs", label: "Runs", key: "r", icon: Play, answers: "What ran, what runs, what failed?" },
      { to: "/experiments", label: "Experiments", key: "e", icon: FlaskConical, answers: "Which run was best, and what was different?" },
      { to: "/models", label: "Models", key: "m", icon: GitBranch, answers: "Which version is where, and on what evidence?" },
    ],
  },
  {
    group: "Operate",
    places: [
      { to: "/endpoints", label: "Endpoints", key: "n", icon: Radio, answers: "What is served, how fast, how sound?" },
      { to: "/monitoring", label: "Monitoring", key: "o", icon: ChartNoAxesCombined, answers: "What drifts, how good is it, what came of it?" },
    ],
  },
  {
    group: "Trace",
    places: [
      { to: "/lineage", label: "Lineage", key: "i", icon: Waypoints, answers: "Where does it come from, what came of it?" },
      { to: "/activity", label: "Activity", key: "a", icon: Activity, answers: "Who did what, when?" },
    ],
  },
  { group: "", places: [{ to: "/settings", label: "Settings", key: "s", icon: Settings, answers: "Who may come in, who is told, is the store sound?" }] },
];

export const ALL_PLACES = PLACES.flatMap((group) => group.places);
