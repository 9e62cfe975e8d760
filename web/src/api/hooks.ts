/** Verbs as queries and as acts: cached by name and request, fetched anew when something happened. */

import { notifications } from "@mantine/notifications";
import {
  QueryClient,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from "@tanstack/react-query";
import { Problem, call, type Answered, type Asked, type VerbName } from "./client";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) => error instanceof Problem && error.status === 0 && count < 2,
      refetchOnWindowFocus: true,
    },
  },
});

interface Ways {
  /** Asked only when true. */
  enabled?: boolean;
  /** What never changes, such as a past snapshot, is asked for once. */
  fixed?: boolean;
  /** How often to ask again, where no event tells of a change. */
  everyMs?: number | false;
}

export function verbQuery<N extends VerbName>(verb: N, request: Asked<N>, ways: Ways = {}) {
  return queryOptions<Answered<N>, Error>({
    queryKey: [verb, request],
    queryFn: ({ signal }) => call(verb, request, signal),
    enabled: ways.enabled ?? true,
    refetchInterval: ways.everyMs ?? false,
    meta: { fixed: ways.fixed ?? false },
    ...(ways.fixed ? { staleTime: Infinity } : {}),
  });
}

/** What a verb answers, kept fresh by the events of the project. */
export function useVerb<N extends VerbName>(verb: N, request: Asked<N>, ways: Ways = {}): UseQueryResult<Answered<N>, Error> {
  return useQuery({ ...verbQuery(verb, request, ways), placeholderData: keepPreviousData });
}

/** A verb that changes something. `done` says what was done, in the words of the page. */
export function useAct<N extends VerbName>(verb: N, done: (answer: Answered<N>) => string) {
  const client = useQueryClient();
  return useMutation<Answered<N>, Error, Asked<N>>({
    mutationFn: (request) => call(verb, request),
    onSuccess: (answer) => {
      notifications.show({ message: done(answer), color: "green" });
      void refresh(client);
    },
  });
}

/** Fetches anew what is shown, and forgets the rest, but for what never changes. */
export function refresh(client: QueryClient = queries): Promise<void> {
  return client.invalidateQueries({ predicate: (query) => query.meta?.["fixed"] !== true });
}
