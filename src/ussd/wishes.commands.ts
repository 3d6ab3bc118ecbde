import type { Contract } from "../credit/credit.ts";
import type { DeviceId, MakeId } from "../kernel/ids.ts";
import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Tx } from "../platform/database.ts";
import type { Asking } from "./asks.commands.ts";
import { countOnce } from "./counts.store.ts";
import type { Answer, Ask } from "./dialogue/asks.ts";
import { insertWish, wishNumber, type DeviceReadings, type NewWish, type TellTicket } from "./wishes.store.ts";

export interface WishesDeps {
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** What a device told last, as it is kept with a fault; undefined where it never told anything. */
  readonly readDevice: (tx: Tx, deviceId: DeviceId) => Promise<DeviceReadings | undefined>;
  /** Tells a customer by message how a report stands. */
  readonly tellTicket: TellTicket;
}

export interface Wishes {
  /** Writes down what somebody asked for, so many a day and phone. */
  wish(
    tx: Tx,
    asking: Asking,
    wished: Pick<NewWish, "kind" | "detail"> & Partial<Pick<NewWish, "contractId" | "category" | "area" | "readings">>,
  ): Promise<Answer>;
  /** The same for a fault, with what the device told last: whoever looks into it sees what was so at that moment. */
  reportFault(
    tx: Tx,
    contract: Contract,
    report: { ask: Extract<Ask, { kind: "report_fault" }>; asking: Asking },
  ): Promise<Answer>;
}

const WISHES_A_DAY = 5;
const NOTE_CHARACTERS_MAX = 300;

/** What people ask of other people: faults, calls, friends, leads. */
export function makeWishes({ clock, makeId, readDevice, tellTicket }: WishesDeps): Wishes {
  const wish: Wishes["wish"] = async (
    tx,
    { caller, session, key },
    { kind, contractId, category, detail, area = caller.customer?.area, readings },
  ) => {
    const now = clock.now();
    const today = await countOnce(tx, { key: `${kind}:${caller.phone}`, now, windowMs: DAY_MS });
    if (today > WISHES_A_DAY) return { kind: "refused", why: "too_often" };
    const kept = Object.fromEntries(
      Object.entries(detail).map(([name, text]) => [name, text.slice(0, NOTE_CHARACTERS_MAX)]),
    );
    const number = await insertWish(tx, {
      id: makeId<"Wish">(),
      key,
      kind,
      phone: caller.phone,
      customerId: caller.customer?.id,
      contractId,
      category,
      detail: kept,
      area,
      readings,
      language: session.language,
      at: now,
    });
    return { kind: "done", number: wishNumber(number) };
  };

  return {
    wish,
    async reportFault(tx, contract, { ask, asking }) {
      const { caller, session } = asking;
      const answer = await wish(tx, asking, {
        kind: "fault",
        contractId: contract.id,
        category: ask.fault,
        detail: { note: ask.note },
        area: contract.area,
        readings: await readDevice(tx, contract.deviceId),
      });
      if (answer.kind === "done" && answer.number !== undefined)
        await tellTicket(tx, {
          state: "open",
          phone: caller.phone,
          language: session.language,
          number: answer.number,
        });
      return answer;
    },
  };
}
