import { makeAirtelMoneyFace } from "./airtel-money.ts";
import { makeDarajaFace } from "./daraja.ts";
import { makeFlutterwaveFace } from "./flutterwave.ts";
import { makeGsmaMmapiFace } from "./gsma-mmapi.ts";
import { makeMtnMomoFace } from "./mtn-momo.ts";
import { makeOrangeWebpayFace } from "./orange-webpay.ts";
import { makePawapayFace } from "./pawapay.ts";
import type { ChannelSetup } from "./rail-simulator.ts";
import { makeWaveFace } from "./wave.ts";

/** One channel of every provider, in the countries where they are at home. */
export const everyChannel: readonly ChannelSetup[] = [
  { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi", makeFace: makeDarajaFace },
  { name: "mtn-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala", makeFace: makeMtnMomoFace },
  { name: "airtel-zm", country: "ZM", currency: "ZMW", zone: "Africa/Lusaka", makeFace: makeAirtelMoneyFace },
  { name: "orange-ci", country: "CI", currency: "XOF", zone: "Africa/Abidjan", makeFace: makeOrangeWebpayFace },
  { name: "wave-sn", country: "SN", currency: "XOF", zone: "Africa/Dakar", makeFace: makeWaveFace },
  { name: "flutterwave-gh", country: "GH", currency: "GHS", zone: "Africa/Accra", makeFace: makeFlutterwaveFace },
  { name: "pawapay-rw", country: "RW", currency: "RWF", zone: "Africa/Kigali", makeFace: makePawapayFace },
  { name: "gsma-tz", country: "TZ", currency: "TZS", zone: "Africa/Dar_es_Salaam", makeFace: makeGsmaMmapiFace },
];
