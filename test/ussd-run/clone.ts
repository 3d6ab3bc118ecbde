import { openClient } from "../../src/platform/database.ts";

/** Gives `use` a database of its own, a copy of the template with the village in it. */
export async function onClone<Result>(
  { superuserUrl, template, name }: { superuserUrl: string; template: string; name: string },
  use: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  const client = openClient(superuserUrl, 1);
  try {
    await client.unsafe(`drop database if exists "${name}" with (force)`);
    await client.unsafe(`create database "${name}" template "${template}" owner washa`);
    const url = new URL(superuserUrl);
    url.pathname = `/${name}`;
    url.username = "washa";
    try {
      return await use(url.toString());
    } finally {
      await client.unsafe(`drop database if exists "${name}" with (force)`);
    }
  } finally {
    await client.end({ timeout: 5 });
  }
}
