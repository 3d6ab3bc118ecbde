import { isIP } from "node:net";

/**
 * Where a request really comes from. Each of our own proxies appends the address it saw to X-Forwarded-For, so the last
 * `trustedProxyHops` entries of that header (the connection itself counts as the nearest) are true and everything left
 * of them is the sender's own writing. With no trusted proxy the header is ignored. A header shorter than the proxies
 * would have made it, or an entry that is no address, did not come through them: then the connection's own address is
 * the answer, which no allow-list mistakes for a partner.
 */
export function sourceAddressOf({
  remoteAddress,
  forwardedFor,
  trustedProxyHops,
}: {
  remoteAddress: string | undefined;
  forwardedFor: string | undefined;
  trustedProxyHops: number;
}): string {
  const connection = plainAddress(remoteAddress ?? "") ?? "0.0.0.0";
  if (trustedProxyHops === 0 || forwardedFor === undefined) return connection;
  const entries = forwardedFor.split(",").map((entry) => entry.trim());
  return plainAddress(entries[entries.length - trustedProxyHops] ?? "") ?? connection;
}

/** "::ffff:1.2.3.4", "1.2.3.4:5678" and "[::1]:5678" name the same hosts as the bare addresses. */
function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase();
  return isIP(address) === 0 ? undefined : address;
}
