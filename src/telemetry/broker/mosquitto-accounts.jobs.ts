import type { DynamicSecurity, DynsecAnswer, DynsecCommand } from "../../platform/mqtt-broker-dynsec.ts";
import {
  accountCommands,
  gatewayCommands,
  markOf,
  readAccounts,
  readMark,
  removalCommands,
  type BrokerAccount,
  type TopicRightsOf,
} from "./mosquitto-accounts.ts";
import { GROUP } from "./topics.ts";

/** Who may sign in, as our books say it. */
export interface AccountBooks {
  /** Those after this serial, in the order of serials; fewer than `limit` at the end. */
  page(query: { after: string | undefined; limit: number }): Promise<readonly BrokerAccount[]>;
  /** Those of the serials that may sign in; the others may not. */
  find(serials: readonly string[]): Promise<readonly BrokerAccount[]>;
  /** Calls back with a serial whose credentials changed, and with "" when changes may have been missed. Answers what ends it. */
  listen(changed: (serial: string) => void): Promise<() => Promise<void>>;
}

export interface AccountSync {
  /** Brings the whole broker to what the books say, soon; for a broker that may have forgotten. */
  checkAll(): void;
  /** Waits until every change heard so far is at the broker. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const PAGE_MAX = 500;

/**
 * Keeps Mosquitto's accounts as our books have them. What the broker holds says by its own marks what it is, so nothing is
 * remembered between runs: a sync that died anywhere is ended by the next. A change is carried over as soon as its
 * transaction commits, and revoking puts the device out at once; whatever fails is tried again after a pause, as a whole.
 */
export async function startAccountSync({
  control,
  books,
  rights,
  gateway,
  filters,
  publishes = [],
  whenReady = () => Promise.resolve(),
  onFault,
  pauseMs = 5_000,
}: {
  control: DynamicSecurity;
  books: AccountBooks;
  rights: TopicRightsOf;
  /** The user of MQTT_URL, made where it is missing; undefined where it is kept by hand. */
  gateway: { username: string; password: string } | undefined;
  filters: readonly string[];
  /** Where our gateway publishes besides the devices' commands, as filters. */
  publishes?: readonly string[];
  /** Resolves when our gateway listens. A device that comes in earlier would be acknowledged for what nobody keeps. */
  whenReady?(): Promise<void>;
  onFault(error: unknown): void;
  pauseMs?: number;
}): Promise<AccountSync> {
  const changed = new Set<string>();
  let isWholeDue = true;
  let isStopping = false;
  let running: Promise<void> | undefined;
  let endPause = (): void => undefined;
  const stopped = Promise.withResolvers<void>();

  /** A removal of what is not there is no failure; any other refusal is. */
  async function apply(commands: readonly DynsecCommand[], isFine: (answer: DynsecAnswer) => boolean): Promise<void> {
    const failed = (await control.run(commands)).filter((answer) => answer.error !== undefined && !isFine(answer));
    if (failed.length > 0)
      throw new Error(
        `Mosquitto refused ${failed.map(({ command, error }) => `${command}: ${String(error)}`).join("; ")}`,
      );
  }
  const isRemoval = ({ command }: DynsecAnswer): boolean => command.startsWith("delete");
  /** Of "create" and "change", one always finds that the other was right. */
  const isEither = ({ error = "" }: DynsecAnswer): boolean => /already exists|already in|internal error/i.test(error);

  async function held(): Promise<Map<string, string>> {
    const marks = new Map<string, string>();
    for (let offset = 0; ; offset += PAGE_MAX) {
      const [answer] = await control.run([{ command: "listClients", verbose: true, count: PAGE_MAX, offset }]);
      if (answer?.error !== undefined) throw new Error(`Mosquitto does not list its clients: ${answer.error}`);
      const read = readAccounts(answer?.data);
      for (const [serial, mark] of read.marks) marks.set(serial, mark);
      if (offset + PAGE_MAX >= read.total) return marks;
    }
  }

  /** Makes accounts, which only helps once somebody listens to them. */
  async function admit(accounts: readonly BrokerAccount[]): Promise<void> {
    if (accounts.length === 0) return;
    await Promise.race([whenReady(), stopped.promise]);
    for (let at = 0; at < accounts.length && !isStopping; at += PAGE_MAX) {
      const part = accounts.slice(at, at + PAGE_MAX);
      await apply(
        part.flatMap((account) => accountCommands(account, rights)),
        isRemoval,
      );
    }
  }

  async function reconcile(): Promise<void> {
    if (gateway !== undefined) await apply(gatewayCommands(gateway, { group: GROUP, filters, publishes }), isEither);
    const unwanted = await held();
    const missing: BrokerAccount[] = [];
    for (let after: string | undefined; ;) {
      const page = await books.page({ after, limit: PAGE_MAX });
      missing.push(...page.filter(({ serial, generation }) => unwanted.get(serial) !== markOf(generation)));
      for (const { serial } of page) unwanted.delete(serial);
      after = page.at(-1)?.serial;
      if (after === undefined || page.length < PAGE_MAX) break;
    }
    await apply([...unwanted.keys()].flatMap(removalCommands), isRemoval);
    await admit(missing);
  }

  async function carryOver(): Promise<void> {
    if (isWholeDue) {
      isWholeDue = false;
      changed.clear();
      await reconcile();
      return;
    }
    const serials = [...changed];
    changed.clear();
    const wanted = new Map((await books.find(serials)).map((account) => [account.serial, account]));
    const answers = await control.run(serials.map((username) => ({ command: "getClient", username })));
    // Other things of a device change too, and a second process hears of them as well: nobody is put out for nothing.
    const marks = serials.map((serial, at) => ({
      account: wanted.get(serial),
      mark: readMark(answers[at]?.data),
      serial,
    }));
    const ended = marks.filter(({ account, mark }) => mark !== undefined && account === undefined);
    await apply(
      ended.flatMap(({ serial }) => removalCommands(serial)),
      isRemoval,
    );
    // One whose credentials are new is put out by being made anew.
    await admit(
      marks.flatMap(({ account, mark }) =>
        account === undefined || mark === markOf(account.generation) ? [] : [account],
      ),
    );
  }

  async function run(): Promise<void> {
    while ((isWholeDue || changed.size > 0) && !isStopping) {
      try {
        await carryOver();
      } catch (error) {
        // What had been under way is found out by comparing everything.
        isWholeDue = true;
        onFault(error);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pauseMs);
          endPause = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
    running = undefined;
  }

  const unlisten = await books.listen((serial) => {
    if (serial === "") isWholeDue = true;
    else changed.add(serial);
    running ??= run();
  });
  running ??= run();
  return {
    checkAll() {
      isWholeDue = true;
      running ??= run();
    },
    async idle() {
      while (running !== undefined) await running;
    },
    async stop() {
      isStopping = true;
      stopped.resolve();
      endPause();
      await unlisten();
      await running;
      await control.close();
    },
  };
}
