/** Who looks at the pages. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { send } from "./client";

export interface Session {
  actor: string;
  project: string;
  permissions: string[];
  is_owner: boolean;
  knows_users: boolean;
  version: string;
}

export function useSession(): UseQueryResult<Session, Error> {
  return useQuery<Session, Error>({
    queryKey: ["session"],
    queryFn: async ({ signal }) => (await send("/api/v1/session", { signal })).json() as Promise<Session>,
    staleTime: 60_000,
    meta: { fixed: true },
  });
}

/** Whether whoever looks may do something; what is not permitted is not offered. */
export function useMay(): (permission: string) => boolean {
  const permissions = useSession().data?.permissions ?? [];
  return (permission) => {
    const [noun, action] = permission.split(".");
    return [permission, `${noun}.*`, `*.${action}`, "*"].some((wider) => permissions.includes(wider));
  };
}

export async function signIn(given: { token: string } | { name: string; password: string }): Promise<void> {
  await send("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(given),
  });
}

export async function signOut(): Promise<void> {
  await send("/api/v1/session", { method: "DELETE" });
}
