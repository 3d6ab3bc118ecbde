import { airtelMoney } from "./airtel-money/airtel-money.ts";
import { daraja } from "./daraja/daraja.ts";
import { flutterwave } from "./flutterwave/flutterwave.ts";
import { gsmaMmapi } from "./gsma-mmapi/gsma-mmapi.ts";
import { mtnMomo } from "./mtn-momo/mtn-momo.ts";
import { orangeWebpay } from "./orange-webpay/orange-webpay.ts";
import { pawapay } from "./pawapay/pawapay.ts";
import type { Adapter } from "./rail.ts";
import { wave } from "./wave/wave.ts";

/** Every kind of rail there is. A new one is a folder beside these and a line here; docs/adding-a-rail.md shows how. */
export const ADAPTERS: readonly Adapter[] = [
  daraja,
  mtnMomo,
  airtelMoney,
  orangeWebpay,
  wave,
  flutterwave,
  pawapay,
  gsmaMmapi,
];
