/** Every page by its path. Each is loaded when it is first gone to. */

import { createRootRoute, createRoute, createRouter, lazyRouteComponent, type AnyRoute } from "@tanstack/react-router";
import { read, written } from "./shell/searching";
import { NoSuchPage, PageFailed } from "./shell/NoPage";
import { Shell } from "./shell/Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NoSuchPage, errorComponent: PageFailed });

type Pages = Promise<Record<string, unknown>>;

function page(path: string, load: () => Pages, name: string): AnyRoute {
  return createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(load as () => Promise<Record<string, () => null>>, name) as () => null,
  });
}

const home = () => import("./pages/home") as Pages;
const pipelines = () => import("./pages/pipelines") as Pages;
const datasets = () => import("./pages/datasets") as Pages;
const features = () => import("./pages/features") as Pages;
const runs = () => import("./pages/runs") as Pages;
const experiments = () => import("./pages/experiments") as Pages;
const models = () => import("./pages/models") as Pages;
const endpoints = () => import("./pages/endpoints") as Pages;
const monitoring = () => import("./pages/monitoring") as Pages;
const predictions = () => import("./pages/predictions") as Pages;
const lineage = () => import("./pages/lineage") as Pages;
const activity = () => import("./pages/activity") as Pages;
const settings = () => import("./pages/settings") as Pages;

const tree = root.addChildren([
  page("/", home, "Home"),
  page("/pipelines", pipelines, "Pipelines"),
  page("/pipelines/$name", pipelines, "Pipeline"),
  page("/datasets", datasets, "Datasets"),
  page("/datasets/$dataset", datasets, "Dataset"),
  page("/features", features, "Features"),
  page("/features/$view", features, "FeatureView"),
  page("/runs", runs, "Runs"),
  page("/runs/$run", runs, "Run"),
  page("/experiments", experiments, "Experiments"),
  page("/experiments/$experiment", experiments, "Experiment"),
  page("/experiments/$experiment/runs/$run", experiments, "TrackedRun"),
  page("/compare", experiments, "Compare"),
  page("/models", models, "Models"),
  page("/models/$model", models, "Model"),
  page("/models/$model/$version", models, "Version"),
  page("/endpoints", endpoints, "Endpoints"),
  page("/endpoints/$endpoint", endpoints, "Endpoint"),
  page("/predictions", predictions, "Predictions"),
  page("/predictions/$prediction", predictions, "Prediction"),
  page("/monitoring", monitoring, "Monitoring"),
  page("/monitoring/$monitor", monitoring, "Monitor"),
  page("/alerts/$alert", monitoring, "Alert"),
  page("/lineage", lineage, "Lineage"),
  page("/activity", activity, "Activity"),
  page("/settings", settings, "Settings"),
]);

export const router = createRouter({
  routeTree: tree,
  defaultPreload: "intent",
  scrollRestoration: true,
  parseSearch: read,
  stringifySearch: written,
});
