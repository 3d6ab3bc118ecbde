/** Where a mobile network tells whether a SIM card is new, with the token for it. */
export interface SimSwapSettings {
  readonly url: string;
  readonly token: string;
}

/** Both or none: one of the two alone would leave every SIM card unknown, and nobody would notice. Tells `problems` of it. */
export function simSwapSettings(
  url: string | undefined,
  token: string | undefined,
  problems: string[],
): SimSwapSettings | undefined {
  if ((url === undefined) !== (token === undefined))
    problems.push("WASHA_SIM_SWAP_URL and WASHA_SIM_SWAP_TOKEN are given together or not at all.");
  return url === undefined || token === undefined ? undefined : { url, token };
}
