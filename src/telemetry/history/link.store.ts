import { openClient } from "../../platform/database.ts";
import type { Link } from "./bookmark.store.ts";

/** The follower's connection: one, so that its lock and its writes live and die together. Works as the program's role. */
export async function connectLink(url: string): Promise<{ readonly link: Link; close(): Promise<void> }> {
  const client = openClient(url, 1);
  try {
    await client`set role washa_app`;
    return { link: client, close: () => client.end({ timeout: 5 }) };
  } catch (error) {
    await client.end({ timeout: 0 });
    throw error;
  }
}
