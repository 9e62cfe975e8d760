/** The page of whoever is not known yet. */

import { Button, PasswordInput, SegmentedControl, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { queries } from "../api/hooks";
import { signIn } from "../api/session";
import { Failed } from "../parts/State";

export function SignIn() {
  const [way, choose] = useState("token");
  const [busy, work] = useState(false);
  const [error, fail] = useState<Error | null>(null);
  const isOver = new URLSearchParams(window.location.search).get("link") === "over";

  async function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "");
    work(true);
    fail(null);
    try {
      await signIn(way === "token" ? { token: text("token").trim() } : { name: text("name"), password: text("password") });
      await queries.resetQueries();
    } catch (caught) {
      fail(caught as Error);
    } finally {
      work(false);
    }
  }

  return (
    <main className="sign-in">
      <form className="card stack" onSubmit={(event) => void enter(event)}>
        <div className="row">
          <img src="/mark.svg" alt="" width={28} height={28} />
          <h1 style={{ margin: 0, fontSize: 18 }}>Sign in to Treadle</h1>
        </div>
        {isOver && <p style={{ margin: 0 }}>That link is over. On the machine of the server, this makes a new one:</p>}
        <p style={{ margin: 0 }} className="dim">
          On the machine where it runs, <code>treadle open</code> signs you in.
        </p>
        <SegmentedControl
          value={way}
          onChange={choose}
          aria-label="How to sign in"
          data={[
            { value: "token", label: "Token" },
            { value: "name", label: "Name and password" },
          ]}
        />
        {way === "token" ? (
          <PasswordInput name="token" label="Token" description="Of the home (api.token), or one of yours" required size="sm" />
        ) : (
          <>
            <TextInput name="name" label="Name" autoComplete="username" required size="sm" />
            <PasswordInput name="password" label="Password" autoComplete="current-password" required size="sm" />
          </>
        )}
        {error && <Failed error={error} />}
        <Button type="submit" size="sm" loading={busy}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
