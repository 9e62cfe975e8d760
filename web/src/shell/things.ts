/** Where a thing is looked at: its address by its subject (`dataset/flights`) or its id (`run_01k9…`). */

const BY_PREFIX: Record<string, (id: string) => string> = {
  run: (id) => `/runs/${id}`,
  pred: (id) => `/predictions/${id}`,
  alert: (id) => `/alerts/${id}`,
  alr: (id) => `/alerts/${id}`,
  evt: (id) => `/activity?event=${id}`,
  rel: (id) => `/releases/${id}`,
};

const BY_NOUN: Record<string, (rest: string) => string> = {
  dataset: (name) => `/datasets/${name}`,
  model: (name) => `/models/${name}`,
  endpoint: (name) => `/endpoints/${name}`,
  monitor: (name) => `/monitoring/${name}`,
  pipeline: (name) => `/pipelines/${name}`,
  experiment: (name) => `/experiments/${name}`,
  view: (name) => `/features/${name}`,
  run: (id) => `/runs/${id}`,
  prediction: (id) => `/predictions/${id}`,
  alert: (id) => `/alerts/${id}`,
  release: (id) => `/releases/${id}`,
};

/** The page about a subject or an id; null where there is none. */
export function addressOf(subject: string): string | null {
  const slash = subject.indexOf("/");
  if (slash > 0) {
    const rest = subject.slice(slash + 1);
    return rest ? (BY_NOUN[subject.slice(0, slash)]?.(rest) ?? null) : null;
  }
  const id = /^([a-z]+)_[0-9a-hjkmnp-tv-z]{20,}$/.exec(subject);
  return id ? (BY_PREFIX[id[1]!]?.(subject) ?? null) : null;
}
