import type { MakeTokenCache } from "./outbound.ts";

/** Longer than a request may take, so that a token does not end on its way. */
const EARLY_MS = 15_000;
const EARLY_SHARE = 0.1;

/**
 * Whoever asks while a token is being fetched waits for the same fetch. Renewed a tenth of its life before the end, at
 * least 15 seconds, at most half of it. When fetching fails everybody who waits hears so, and the next one tries anew.
 */
export const makeTokenCache: MakeTokenCache = ({ clock, fetchToken }) => {
  let held: { readonly token: string; readonly renewAt: number } | undefined;
  let fetching: Promise<string> | undefined;

  async function fetchOne(): Promise<string> {
    try {
      // Its life began at the provider, before the answer reached us.
      const askedAt = clock.now().getTime();
      const { token, expiresInSeconds } = await fetchToken();
      const lifeMs = expiresInSeconds > 0 ? expiresInSeconds * 1_000 : 0;
      const earlyMs = Math.min(Math.max(lifeMs * EARLY_SHARE, EARLY_MS), lifeMs / 2);
      held = { token, renewAt: askedAt + lifeMs - earlyMs };
      return token;
    } finally {
      fetching = undefined;
    }
  }

  return {
    current: async () => {
      if (held !== undefined && clock.now().getTime() < held.renewAt) return held.token;
      // A step later, so that a fetch that throws at once finds itself noted here.
      fetching ??= Promise.resolve().then(fetchOne);
      return fetching;
    },
    // A late refusal of an older token must not cost the one that replaced it.
    reject: (token) => {
      if (held?.token === token) held = undefined;
    },
  };
};
