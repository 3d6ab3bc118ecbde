/** A client of the public GraphQL API, as an office program would be. */
export interface ApiClient {
  /** Runs an operation; throws with the API's own words when it answers errors or a refusal. */
  ask<Answer>(query: string, variables?: Record<string, unknown>): Promise<Answer>;
}

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string }[];
}

/** Signs in and keeps the session for all further questions. */
export async function signIn({
  url,
  email,
  password,
}: {
  url: string;
  email: string;
  password: string;
}): Promise<ApiClient> {
  const session: { token: string | undefined } = { token: undefined };
  async function ask<Result>(query: string, variables: Record<string, unknown> = {}): Promise<Result> {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(session.token === undefined ? {} : { authorization: `Bearer ${session.token}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as Answer;
    if (answer.errors !== undefined || answer.data === null || answer.data === undefined)
      throw new Error(answer.errors?.map(({ message }) => message).join("; ") ?? `HTTP ${response.status}`);
    for (const [field, value] of Object.entries(answer.data)) {
      if (typeof value === "object" && value !== null && "code" in value && "message" in value)
        throw new Error(`${field}: ${String(value.message)} (${String(value.code)})`);
    }
    return answer.data as Result;
  }
  const { login } = await ask<{ login: { token: string } }>(
    `mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { ... on Session { token } ... on Refusal { code message } } }`,
    { email, password },
  );
  session.token = login.token;
  return { ask };
}
