import { parseAccountNumber, type Credit } from "../credit/credit.ts";
import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Tx } from "../platform/database.ts";
import type { Asking } from "./asks.commands.ts";
import type { KnownCaller } from "./callers.queries.ts";
import { countOnce } from "./counts.store.ts";
import type { Answer, Ask, RefusalCode } from "./dialogue/asks.ts";
import type { PinWhose } from "./dialogue/place.ts";
import type { PinOwner, Pins, PinVerdict } from "./pins.commands.ts";
import type { SimSwaps } from "./sim-swap.commands.ts";
import type { Wishes } from "./wishes.commands.ts";

export interface IdentityAsksDeps {
  readonly clock: Clock;
  readonly credit: Pick<Credit, "findByAccountNumber">;
  readonly pins: Pick<Pins, "check" | "checkFromAfar" | "set">;
  readonly simSwaps: Pick<SimSwaps, "of">;
}

type Of<Kind extends Ask["kind"]> = Extract<Ask, { readonly kind: Kind }>;

/** Of one strange phone, whatever accounts it tries. */
const IDENTITIES_A_DAY = 10;

const refused = (why: RefusalCode): Answer => ({ kind: "refused", why });
const DONE: Answer = { kind: "done" };

/** Who is calling, proved by a PIN. */
export function makeIdentityAsks({ clock, credit, pins, simSwaps, wish }: IdentityAsksDeps & Pick<Wishes, "wish">) {
  return {
    async checkPin(tx: Tx, { whose, pin }: Of<"check_pin">, { caller }: Asking): Promise<Answer> {
      const owner = ownerOf(whose, caller);
      if (owner === undefined) return refused("not_now");
      const verdict = isAtHome(whose, caller)
        ? await pins.check(tx, owner, pin)
        : await pins.checkFromAfar(tx, owner, { pin, phone: caller.phone });
      return pinAnswer(verdict, DONE);
    },

    /** A PIN that is there is changed by whoever typed it in this conversation; none is chosen on a SIM card that is new. */
    async setPin(tx: Tx, { whose, pin }: Of<"set_pin">, asking: Asking): Promise<Answer> {
      const { caller } = asking;
      const { agent, caller: known, isProven } = caller.facts;
      const owner = ownerOf(whose, caller);
      const { hasPin, hasProof } =
        whose === "staff"
          ? { hasPin: agent?.hasPin === true, hasProof: agent?.isProven === true }
          : { hasPin: known.hasPin, hasProof: isProven };
      if (owner === undefined || (hasPin && !hasProof)) return refused("not_now");
      if (simSwaps.of(caller.phone) === "recent") {
        await wish(tx, asking, { kind: "call", category: "sim_swap", detail: { note: "" } });
        return refused("sim_swapped");
      }
      await pins.set(tx, owner, pin);
      return DONE;
    },

    /** The same answer for an account that nobody has and for a wrong PIN: a stranger learns neither. */
    async identify(tx: Tx, { account, pin }: Of<"identify">, { caller: { phone } }: Asking): Promise<Answer> {
      const tried = await countOnce(tx, { key: `identify:${phone}`, now: clock.now(), windowMs: DAY_MS });
      if (tried > IDENTITIES_A_DAY) return refused("pin_locked");
      const number = parseAccountNumber(account);
      const contract = number === undefined ? undefined : await credit.findByAccountNumber(tx, number);
      if (contract === undefined) return refused("pin_wrong");
      const owner: PinOwner = { kind: "customer", id: contract.customerId };
      const verdict = await pins.checkFromAfar(tx, owner, { pin, phone });
      return pinAnswer(verdict === "unset" ? "wrong" : verdict, { kind: "person", customerId: contract.customerId });
    },
  };
}

function ownerOf(whose: PinWhose, { agent, customer }: KnownCaller): PinOwner | undefined {
  const id = whose === "staff" ? agent?.id : customer?.id;
  return id === undefined ? undefined : { kind: whose, id };
}

/** Whether the owner's own phone is in the hand that types. Whoever proved an account from another one guesses from afar. */
function isAtHome(whose: PinWhose, { customer, phone }: KnownCaller): boolean {
  return whose === "staff" || customer?.phones.includes(phone) === true;
}

function pinAnswer(verdict: PinVerdict, right: Answer): Answer {
  if (verdict === "right") return right;
  return refused(verdict === "locked" ? "pin_locked" : "pin_wrong");
}
