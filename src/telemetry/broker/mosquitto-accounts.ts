import type { DynsecCommand } from "../../platform/mqtt-broker-dynsec.ts";

/** A device that may sign in at the broker. */
export interface BrokerAccount {
  readonly serial: string;
  readonly password: string;
  /** Of its credentials: another generation has another password. */
  readonly generation: number;
}

/** The topics a device may publish to and read, each whole and without wildcards. */
export type TopicRightsOf = (serial: string) => {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
};

/** Raised when what is written below changes, so that brokers are brought up to date. */
const LAYOUT = 1;

/** What stands in a client's text name: who keeps it, and which credentials it has. */
export function markOf(generation: number): string {
  return `washa ${String(LAYOUT)} ${String(generation)}`;
}

const roleOf = (serial: string): string => `washa device ${serial}`;

/**
 * Makes the device's account as if it had never been: whatever half of it an earlier run left is gone first, and whoever is
 * connected with it is put out. Safe to repeat; a delete of what is not there is answered with an error that means nothing.
 * The account takes the serial as its client id, so that no device can take over another's session, or ours.
 */
export function accountCommands(account: BrokerAccount, rights: TopicRightsOf): readonly DynsecCommand[] {
  const { serial, password, generation } = account;
  const { publish, subscribe } = rights(serial);
  const rolename = roleOf(serial);
  return [
    ...removalCommands(serial),
    {
      command: "createRole",
      rolename,
      acls: [
        ...publish.map((topic) => ({ acltype: "publishClientSend", topic, allow: true })),
        ...subscribe.map((topic) => ({ acltype: "subscribeLiteral", topic, allow: true })),
      ],
    },
    {
      command: "createClient",
      username: serial,
      password,
      clientid: serial,
      textname: markOf(generation),
      roles: [{ rolename }],
    },
  ];
}

/** Ends the account and whoever is connected with it. */
export function removalCommands(serial: string): readonly DynsecCommand[] {
  return [
    { command: "deleteClient", username: serial },
    { command: "deleteRole", rolename: roleOf(serial) },
  ];
}

/** The account that our gateways use: reads what devices tell, alone or shared, and publishes commands. */
export function gatewayCommands(
  { username, password }: { username: string; password: string },
  { group, filters, publishes = [] }: { group: string; filters: readonly string[]; publishes?: readonly string[] },
): readonly DynsecCommand[] {
  const rolename = "washa gateway";
  const acls = [
    ...filters.flatMap((filter) =>
      [filter, `$share/${group}/${filter}`].map((topic) => ({ acltype: "subscribeLiteral", topic, allow: true })),
    ),
    // Serials may hold a slash, and a plus stands for one level.
    ...["paygo/v1/+/cmd", "paygo/v1/+/+/cmd", ...publishes].map((topic) => ({
      acltype: "publishClientSend",
      topic,
      allow: true,
    })),
  ];
  // Made or brought up to date, whichever succeeds: nobody is put out.
  return [
    { command: "createRole", rolename, acls },
    { command: "modifyRole", rolename, acls },
    { command: "createClient", username, password, textname: "washa gateway", roles: [{ rolename }] },
    { command: "addClientRole", username, rolename },
  ];
}

/** What the broker holds of ours, by user name, with its mark. Clients without our mark are somebody else's and stay. */
export function readAccounts(data: unknown): { total: number; marks: ReadonlyMap<string, string> } {
  const { totalCount, clients } = (data ?? {}) as { totalCount?: unknown; clients?: unknown };
  const marks = new Map<string, string>();
  for (const client of Array.isArray(clients) ? (clients as unknown[]) : []) {
    const { username } = client as Record<string, unknown>;
    const mark = readMark({ client });
    if (typeof username === "string" && mark !== undefined) marks.set(username, mark);
  }
  return { total: typeof totalCount === "number" ? totalCount : 0, marks };
}

/** The mark in the answer about one client; undefined where there is none of ours. */
export function readMark(data: unknown): string | undefined {
  const { client } = (data ?? {}) as { client?: Readonly<Record<string, unknown>> };
  const { textname, disabled } = client ?? {};
  if (typeof textname !== "string" || !/^washa \d+ \d+$/.test(textname)) return undefined;
  // One that somebody disabled by hand is made anew, as what our books say.
  return disabled === true ? "disabled" : textname;
}
