import express, { type Request, type Router } from "express";
import { z } from "zod";
import { InvalidInput } from "../kernel/refusal.ts";
import type { ClaimProof, Credentials } from "./credentials.commands.ts";

const BODY_LIMIT = "2kb";

/** Either a code, or the device's own signature; short names as in OpenPAYGO Metrics. */
const byCode = z.strictObject({
  serial: z.string().min(1).max(64),
  code: z.string().min(1).max(40),
  request: z.string().min(8).max(100).optional(),
});
const bySignature = z.strictObject({
  sn: z.string().min(1).max(64),
  ts: z.int().min(0).max(4_102_444_800),
  d: z.strictObject({ claim: z.literal("mqtt") }),
  a: z.string().regex(/^da[0-9a-fA-F]{1,16}$/),
});

const EXPECTED =
  'Expected {"serial", "code"} with an optional "request" (8 to 100 characters of your own), or {"sn", "ts", "d": {"claim": "mqtt"}, "a"} signed with the device\'s key by the method da.';

/** The door at which a device, or the agent who installs it, fetches what it needs to speak. Once for each code. */
export function makeClaimDoor({
  credentials,
  sourceAddress,
}: {
  credentials: Pick<Credentials, "claim">;
  sourceAddress: (request: Request) => string;
}): Router {
  const router = express.Router();
  router.post("/claim", express.json({ limit: BODY_LIMIT }), async (request, response) => {
    const { serial, proof } = parse(request.body);
    response.json(await credentials.claim({ serial, proof, source: sourceAddress(request) }));
  });
  return router;
}

function parse(body: unknown): { serial: string; proof: ClaimProof } {
  const code = byCode.safeParse(body);
  if (code.success) {
    const { serial, code: typed, request } = code.data;
    return { serial: serial.trim(), proof: { kind: "code", code: typed, request } };
  }
  const signed = bySignature.safeParse(body);
  if (!signed.success) throw new InvalidInput(EXPECTED);
  const { sn, ts, a } = signed.data;
  return { serial: sn, proof: { kind: "signed", timestampSeconds: ts, auth: a } };
}
