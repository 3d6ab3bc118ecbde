import type { Outcome } from "../../simulators/stage/outcome.ts";
import type { HoodView, LampView, PhoneView, ScreenView, StageView } from "../../simulators/stage/views.ts";

export type {
  ChatMessageView,
  HoodStep,
  HoodView,
  LampEventView,
  LampView,
  PersonView,
  PhoneView,
  PromptView,
  ScreenView,
  SmsView,
  StageView,
} from "../../simulators/stage/views.ts";

export type { Outcome } from "../../simulators/stage/outcome.ts";

const BASE = "/simulator/api";
const AWAY = "The demonstration does not answer. Start it with npm start; this page goes on by itself.";

async function ask<Answer>(path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(`${BASE}/${path}`, init).catch((cause: unknown) => {
    throw new Error(AWAY, { cause });
  });
  const answer = (await response.json()) as Answer & { error?: { message: string } };
  if (!response.ok) throw new Error(answer.error?.message ?? `The demonstration answered ${String(response.status)}.`);
  return answer;
}

const look = <Answer>(path: string) => ask<Answer>(path, {});
const act = <Answer>(path: string, body: object) =>
  ask<Answer>(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

const phonePath = (phone: string): string => `phones/${encodeURIComponent(phone)}`;

/** The simulator's doors. Each rejects with words for a person. */
export const api = {
  stage: () => look<StageView>("stage"),
  phone: (phone: string) => look<PhoneView>(phonePath(phone)),
  hood: (phone: string, receiptId: string | undefined) =>
    look<HoodView>(
      `${phonePath(phone)}/hood${receiptId === undefined ? "" : `?receipt=${encodeURIComponent(receiptId)}`}`,
    ),
  call: (phone: string, step: { dial: string } | { answer: string } | { hangUp: true }) =>
    act<ScreenView>(`${phonePath(phone)}/call`, step),
  writeSms: (phone: string, text: string) => act<Outcome>(`${phonePath(phone)}/sms`, { text }),
  chat: (phone: string, said: { text: string } | { messageId: string; buttonId: string }) =>
    act<Outcome>(`${phonePath(phone)}/chat`, said),
  readChat: (phone: string) => act<PhoneView>(`${phonePath(phone)}/chat/read`, {}),
  pay: (phone: string, payment: { account: string; amount: string }) =>
    act<Outcome>(`${phonePath(phone)}/payment`, payment),
  decide: (phone: string, promptId: string, decision: { pin: string } | { refuses: true }) =>
    act<Outcome>(`${phonePath(phone)}/prompts/${encodeURIComponent(promptId)}`, decision),
  lamp: (serial: string) => look<LampView>(`lamps/${serial}`),
  press: (serial: string, keys: string) => act<LampView>(`lamps/${serial}/keys`, { keys }),
  advance: (serial: string, hours: number) => act<LampView>(`lamps/${serial}/clock`, { hours }),
  cover: (serial: string, isCovered: boolean) => act<LampView>(`lamps/${serial}/signal`, { isCovered }),
};
